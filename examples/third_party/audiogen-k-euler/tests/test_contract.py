"""The contract checks of audiogen, and what is special about this sampler."""

from dataclasses import replace

import torch

from audiogen_core.testing.contracts import check
from audiogen_core.testing.samplers import REQUEST, GaussianDenoiser, run_sampler
from audiogen_k_euler.sampler import KEuler

pytest_plugins = ["audiogen_core.testing.fixtures"]


def test_it_keeps_the_contract() -> None:
    """It does what every sampler promises."""
    check("sampler", KEuler)


def test_churn_adds_noise(exact_denoiser: GaussianDenoiser) -> None:
    """With churn, the sample is another one of the same distribution."""
    request = replace(REQUEST, steps=64, latents=4096)
    without, churned = (
        run_sampler(KEuler(KEuler.Options(s_churn=churn)), request, model=exact_denoiser).output
        for churn in (0.0, 8.0)
    )
    assert not torch.allclose(without, churned)
    assert abs(churned.std() - exact_denoiser.std) < 0.05
