"""DDIM with CFG++ for the v-objective."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import ScheduleRequest, VSampler
from audiogen_plugins.samplers._ddim import DDIMOptions, ddim_step

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import OnStep, VelocityModel


class VDDIMCFGPP(VSampler):
    """DDIM that puts back the unconditional noise instead of the guided one.

    Algorithm 2 of Chung, Kim, Park, Nam and Ye (2024), "CFG++: Manifold-constrained Classifier
    Free Guidance for Diffusion Models", arXiv:2406.08070: guidance moves the clean latents only,
    so that what is stepped from stays close to where the model was trained. Order 1 with eta 0
    and guidance off; one (guided) model evaluation a step.
    """

    NAME = "v-ddim-cfgpp"
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
            guided, unconditional = model.with_unconditional(x, t)
            x = ddim_step(
                x,
                t,
                t_next,
                velocity=guided,
                noise_velocity=unconditional,
                eta=self.options.eta,
                noise=noise,
            )
            on_step(index + 1, steps)
        return x
