"""The sampler: Euler's method, with as much fresh noise as is asked for."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import Field

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep


class MyPlugin(SigmaSampler):
    """Ancestral Euler steps: order 1, one model evaluation a step."""

    NAME = "my-plugin"
    ORDER = 1

    class Options(PluginOptions):
        """Keys of ``generation`` that only this sampler has."""

        eta: float = Field(0.0, ge=0, le=1, description="Share of fresh noise; 0 adds none.")

    options: Options

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Exponential sigmas and 0, ``[steps + 1]``."""
        return request.polyexponential()

    def sample(
        self, model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Steps from each sigma to the next, and adds noise up to it."""
        eta = self.options.eta
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            # The noise is what brings the latents from the lower level back to the next one.
            fresh = eta * sigma_next * (1 - (sigma_next / sigma) ** 2).sqrt()
            lower = (sigma_next**2 - fresh**2).sqrt()
            x = x + (x - model(x, sigma)) / sigma * (lower - sigma)
            if fresh > 0:
                x = x + noise.normal() * fresh
            on_step(index + 1, len(sigmas) - 1)
        return x
