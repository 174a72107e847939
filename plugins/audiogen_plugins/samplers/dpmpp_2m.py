"""DPM-Solver++(2M)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep


class DPMPP2M(SigmaSampler):
    """A two-step method on the denoised latents.

    Algorithm 2 of Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver++: Fast Solver for Guided
    Sampling of Diffusion Probabilistic Models", arXiv:2211.01095: the prediction of this step and
    that of the last are extrapolated in log sigma to the step's middle. The first step and the
    last are of first order. Order 2; one model evaluation a step.
    """

    NAME = "dpmpp-2m"
    ORDER = 2

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Poly-exponential sigmas and 0, ``[steps + 1]``."""
        return request.distinct_polyexponential()

    def sample(
        self,
        model: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        noise: NoiseSource,  # noqa: ARG002
        on_step: OnStep,
    ) -> Tensor:
        """Follows the probability-flow ODE down to the last level."""
        steps = len(sigmas) - 1
        last: tuple[Tensor, Tensor] | None = None
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            denoised = middle = model(x, sigma)
            h = (sigma / sigma_next).log()
            if last is not None and sigma_next > 0:
                last_denoised, last_h = last
                middle = denoised + (denoised - last_denoised) * (h / last_h / 2)
            x = middle + (x - middle) * (sigma_next / sigma)
            last = denoised, h
            on_step(index + 1, steps)
        return x
