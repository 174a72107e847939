"""The sampler: Euler's method with churn."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import Field

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep


class KEuler(SigmaSampler):
    """Euler steps on the probability-flow ODE, with optional churn.

    Algorithm 2 of Karras et al. (2022), "Elucidating the Design Space of Diffusion-Based
    Generative Models", arXiv:2206.00364, without its correction. Order 1, one model evaluation a
    step.
    """

    NAME = "k-euler"
    ORDER = 1

    class Options(PluginOptions):
        """Keys of ``generation`` that only this sampler has."""

        s_churn: float = Field(0.0, ge=0, description="Noise added over the whole run.")

    options: Options

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Exponential sigmas and 0, ``[steps + 1]``."""
        return request.polyexponential()

    def sample(
        self, model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Follows the ODE from the first sigma to 0."""
        steps = len(sigmas) - 1
        gamma = min(self.options.s_churn / steps, math.sqrt(2) - 1)
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            level = sigma * (1 + gamma)
            if gamma > 0:
                x = x + noise.normal() * (level**2 - sigma**2).sqrt()
            x = x + (x - model(x, level)) / level * (sigma_next - level)
            on_step(index + 1, steps)
        return x
