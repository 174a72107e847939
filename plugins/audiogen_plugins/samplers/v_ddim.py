"""DDIM for the v-objective."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import ScheduleRequest, VSampler
from audiogen_plugins.samplers._ddim import DDIMOptions, ddim_step

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import OnStep, VelocityModel


class VDDIM(VSampler):
    """DDIM: predicts the clean latents and the noise, and joins them again with less noise.

    Song, Meng and Ermon (2020), "Denoising Diffusion Implicit Models", arXiv:2010.02502,
    equation 12, with the velocity of Salimans and Ho (2022), "Progressive Distillation for Fast
    Sampling of Diffusion Models", arXiv:2202.00512, appendix D. Order 1 with eta 0; one model
    evaluation a step.
    """

    NAME = "v-ddim"
    ORDER = 1
    Options = DDIMOptions
    options: DDIMOptions

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Times spaced evenly from min(sigma_max, 1) to 0, ``[steps + 1]``."""
        return request.linear()

    def sample(
        self, model: VelocityModel, x: Tensor, times: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Steps down to t = 0, where the predicted clean latents are returned."""
        steps = len(times) - 1
        for index, (t, t_next) in enumerate(pairwise(times)):
            velocity = model(x, t)
            x = ddim_step(
                x,
                t,
                t_next,
                velocity=velocity,
                noise_velocity=velocity,
                eta=self.options.eta,
                noise=noise,
            )
            on_step(index + 1, steps)
        return x
