"""Chooses the device and the type of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from audiogen_core.errors import UsageError, listed
from audiogen_core.precision import Precision

_KNOWN = ("cpu", "cuda", "mps", "xpu")


def available_devices() -> list[str]:
    """The kinds of devices of this machine, the best first; ``cpu`` is always the last."""
    checks: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "xpu": torch.xpu.is_available,
        "mps": torch.backends.mps.is_available,
    }
    return [*(name for name, there in checks.items() if there()), "cpu"]


def choose_device(name: str | None) -> torch.device:
    """The device of a name like ``cuda`` or ``cuda:1``; the best there is for None.

    Raises:
        UsageError: There is no such device here.
    """
    available = available_devices()
    if name is None:
        return torch.device(available[0])
    kind = name.partition(":")[0]
    if kind not in _KNOWN:
        raise UsageError(f"--device: '{name}' is not a known device; known: {listed(_KNOWN)}")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device: '{name}' must be like '{kind}' or '{kind}:0'") from None
    if kind not in available:
        raise UsageError(
            f"--device: '{name}' is not available on this machine; available: {listed(available)}"
        )
    counted: dict[str, Any] = {"cuda": torch.cuda, "xpu": torch.xpu}
    count = counted[kind].device_count() if kind in counted else 1
    if device.index is not None and device.index >= count:
        raise UsageError(
            f"--device: '{name}' does not exist: this machine has {count} of that kind"
        )
    return device


def make_exact(device: torch.device) -> None:
    """Lets an NVIDIA card compute float32 in float32, and the same twice, in the whole process.

    By itself cuDNN rounds the inputs of float32 convolutions to ten bits (TF32), and may sum in
    another order each time.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True


def half_type(device: torch.device) -> torch.dtype:
    """The 16-bit type of ``--model-half``: float16, but on a CPU bfloat16, which it is fast in."""
    return torch.bfloat16 if device.type == "cpu" else torch.float16


def choose_type(precision: Precision, device: torch.device) -> torch.dtype:
    """The type of the weights."""
    return _fast_type(device) if precision is Precision.AUTO else type_of(precision.value)


def type_of(name: str) -> torch.dtype:
    """The type that a `Precision` names, but ``auto``."""
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name, torch.float32)


def name_of(dtype: torch.dtype) -> str:
    """What the metadata and ``--dtype`` call it."""
    return str(dtype).removeprefix("torch.")


def _fast_type(device: torch.device) -> torch.dtype:
    """16 bits where the hardware multiplies matrices of them faster, and float32 elsewhere."""
    if device.type == "cpu":
        # Older versions of torch do not tell; then nothing is certain.
        able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        fast = any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))
        return torch.bfloat16 if fast else torch.float32
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if major >= 8 else torch.float16  # from Ampere on
    return torch.bfloat16 if device.type == "xpu" else torch.float16
