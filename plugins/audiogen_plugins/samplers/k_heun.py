"""Heun's method."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_plugins.samplers._churn import ChurnOptions, churn

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep


class KHeun(SigmaSampler):
    """Heun's second-order method on the probability-flow ODE, with optional churn.

    Algorithms 1 and 2 of Karras, Aittala, Aila and Laine (2022), "Elucidating the Design Space of
    Diffusion-Based Generative Models", arXiv:2206.00364: an Euler step predicts the end point,
    and the mean of the slopes at both ends makes the step. Order 2; two model evaluations a step,
    one in the last.
    """

    NAME = "k-heun"
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
            step = sigma_next - sigma
            predicted = x + slope * step
            if sigma_next == 0:
                # The slope at 0 is 0/0; the Euler step there lands on the denoised latents.
                x = predicted
            else:
                slope_next = (predicted - model(predicted, sigma_next)) / sigma_next
                x = x + (slope + slope_next) / 2 * step
            on_step(index + 1, steps)
        return x
