"""Noise schedules."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_SNR_END = 2.0
LOG_SNR_START = -6.0
LOG_SNR_SPAN = 0.5
"""The least: a start that is nearly at the end, or beyond it, would climb in noise else."""


def polyexponential(steps: int, sigma_min: float, sigma_max: float, rho: float) -> Tensor:
    """Sigmas spaced by a polynomial in log sigma (exponential for ``rho`` 1), then 0.

    Returns:
        ``[steps + 1]``, float32, from ``sigma_max`` down to ``sigma_min`` and 0.
    """
    ramp = torch.linspace(1, 0, steps) ** rho
    low, high = math.log(sigma_min), math.log(sigma_max)
    sigmas = torch.exp(ramp * (high - low) + low)
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def distinct(levels: Tensor) -> Tensor:
    """Without the levels that equal the one before, ``[levels]``."""
    return torch.cat([levels[:1], levels[1:][levels[1:] != levels[:-1]]])


def linear(steps: int, sigma_max: float) -> Tensor:
    """Times spaced evenly from min(sigma_max, 1) to 0, ``[steps + 1]``."""
    return torch.linspace(min(sigma_max, 1.0), 0, steps + 1)


def log_snr(steps: int, sigma_max: float) -> Tensor:
    """Times of a flow spaced evenly in log((1 - t) / t), ``[steps + 1]``.

    The ends are set to min(sigma_max, 1) and 0; between them the log-SNR runs from that of
    sigma_max (-6 where it is 1) to 2, or a little above that of a sigma_max with hardly any noise.
    """
    start = min(sigma_max, 1.0)
    first = LOG_SNR_START if start == 1 else math.log((1 - start) / start + 1e-6)
    last = max(LOG_SNR_END, first + LOG_SNR_SPAN)
    times = torch.sigmoid(-torch.linspace(first, last, steps + 1))
    times[0] = start
    times[-1] = 0
    return times
