"""Weights and inputs that the reference implementation was given too, and what it made of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from tests.conftest import DATA

ModuleT = TypeVar("ModuleT", bound=nn.Module)

CASES: Mapping[str, Any] = json.loads((DATA / "reference" / "cases.json").read_text("utf-8"))
_EXPECTED = np.load(DATA / "reference" / "expected.npz")


def expected(name: str) -> Tensor:
    """What the reference implementation made."""
    return torch.from_numpy(_EXPECTED[name])


def seeded(name: str, shape: tuple[int, ...]) -> Tensor:
    """Normal numbers that depend on the name alone."""
    drawn = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    return torch.from_numpy(drawn.astype(np.float32))


def with_seeded_weights(build: Callable[[], ModuleT]) -> ModuleT:
    """Builds a module without weights and loads those that `generate.py` loads."""
    module_on_cpu = build()
    with torch.device("meta"):
        module = build()
    state = {
        # Frequencies of positions are those that the module computes.
        name: tensor if name.endswith("inv_freq") else _weight(name, tuple(tensor.shape))
        for name, tensor in module_on_cpu.state_dict().items()
    }
    module.load_state_dict(state, strict=True, assign=True)
    return module.eval()


def _weight(name: str, shape: tuple[int, ...]) -> Tensor:
    values, last = seeded(name, shape), name.split(".")[-1]
    if len(shape) > 1 and last != "weight_g":
        return values * values[0].numel() ** -0.5
    return 0.3 * values + (last in {"weight", "gamma", "weight_g"})


def agreement(found: Tensor, wanted: Tensor) -> float:
    """The signal-to-noise ratio in decibels."""
    assert found.shape == wanted.shape
    noise = (found.double() - wanted.double()).square().sum()
    if noise == 0:
        return float("inf")
    return float(10 * torch.log10(wanted.double().square().sum() / noise))
