"""Where a model runs by default, and what half precision is there."""

from __future__ import annotations

import pytest
import torch

from audiogen_core.devices import choose_device, half_type
from audiogen_core.errors import UsageError


@pytest.mark.parametrize(
    ("there", "chosen"),
    [((), "cpu"), (("mps",), "mps"), (("xpu", "mps"), "xpu"), (("cuda", "xpu", "mps"), "cuda")],
)
def test_the_best_device_is_the_default(
    there: tuple[str, ...], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA before all others, and the CPU where there is nothing else."""
    for name, module in (("cuda", torch.cuda), ("xpu", torch.xpu), ("mps", torch.backends.mps)):
        monkeypatch.setattr(module, "is_available", lambda name=name: name in there)
    assert choose_device(None) == torch.device(chosen)


def test_half_precision_is_what_the_hardware_is_fast_in() -> None:
    """``fp16`` as documented, but on a CPU, which multiplies no such matrices."""
    kinds = {name: half_type(torch.device(name)) for name in ("cuda", "xpu", "mps", "cpu")}
    assert kinds == dict.fromkeys(("cuda", "xpu", "mps"), torch.float16) | {"cpu": torch.bfloat16}


def test_each_of_several_devices_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every kind of which there can be several."""
    for name, module in (("cuda", torch.cuda), ("xpu", torch.xpu)):
        monkeypatch.setattr(module, "is_available", lambda: True)
        monkeypatch.setattr(module, "device_count", lambda: 2)
        assert choose_device(f"{name}:1") == torch.device(name, 1)
        with pytest.raises(UsageError, match="this machine has 2 of that kind"):
            choose_device(f"{name}:2")
