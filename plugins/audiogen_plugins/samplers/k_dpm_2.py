"""DPM-Solver-2 as a midpoint method."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_plugins.samplers._churn import ChurnOptions, churn

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep


class KDPM2(SigmaSampler):
    """The midpoint method with its midpoint in log sigma, with optional churn.

    Algorithm 1 (DPM-Solver-2, r1 = 1/2) of Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver: A
    Fast ODE Solver for Diffusion Probabilistic Model Sampling in Around 10 Steps",
    arXiv:2206.00927; for latents that are clean latents plus sigma times noise it is the midpoint
    rule whose middle is the geometric mean of both sigmas. The churn is that of algorithm 2 of
    Karras et al. (2022), arXiv:2206.00364. Order 2; two model evaluations a step, one in the last.
    """

    NAME = "k-dpm-2"
    ORDER = 2
    Options = ChurnOptions
    options: ChurnOptions

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Poly-exponential sigmas and 0, ``[steps + 1]``."""
        return request.polyexponential()

    def sample(
        self, model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Follows dx/dsigma = (x - denoised) / sigma down to the last level."""
        steps = len(sigmas) - 1
        for index, (level, sigma_next) in enumerate(pairwise(sigmas)):
            x, sigma = churn(x, level, steps, self.options, noise)
            slope = (x - model(x, sigma)) / sigma
            if sigma_next > 0:
                middle = (sigma * sigma_next).sqrt()
                halfway = x + slope * (middle - sigma)
                slope = (halfway - model(halfway, middle)) / middle
            x = x + slope * (sigma_next - sigma)
            on_step(index + 1, steps)
        return x
