"""Schedules of noise: they fall, wherever they begin."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiogen_core.diffusion.schedules import log_snr


@given(st.integers(1, 100), st.floats(1e-3, 1.0))
def test_times_of_a_flow_fall(steps: int, sigma_max: float) -> None:
    """Also from a start that has less noise than the last step of a whole run."""
    times = log_snr(steps, sigma_max)
    assert float(times[0]) == pytest.approx(sigma_max)
    assert float(times[-1]) == 0
    assert bool((times.diff() < 0).all())


@pytest.mark.parametrize("start", [1.0, 0.7, 0.3])
def test_a_whole_run_ends_where_it_was_trained_to(start: float) -> None:
    """The last step but one is evenly before a log-SNR of 2."""
    times = log_snr(8, start).double()
    ratios = torch.log((1 - times[1:-1]) / times[1:-1])
    first = -6.0 if start == 1 else math.log((1 - start) / start)
    assert torch.allclose(ratios, torch.linspace(first, 2, 9).double()[1:-1], atol=1e-3)
