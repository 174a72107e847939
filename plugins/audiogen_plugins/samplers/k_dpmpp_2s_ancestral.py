"""Ancestral sampling with DPM-Solver++(2S)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_plugins.samplers._sde import SDEOptions

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep


class KDPMPP2SAncestral(SigmaSampler):
    """DPM-Solver++(2S) steps below the next noise level, each followed by noise back up to it.

    The step is algorithm 1 (r = 1/2) of Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver++:
    Fast Solver for Guided Sampling of Diffusion Probabilistic Models", arXiv:2211.01095. The
    amount of noise is that of the DDPM posterior, scaled by eta: equation 16 of Song, Meng and
    Ermon (2020), "Denoising Diffusion Implicit Models", arXiv:2010.02502. Order 2 with eta 0; two
    model evaluations a step, one in the last.
    """

    NAME = "k-dpmpp-2s-ancestral"
    ORDER = 2
    Options = SDEOptions
    options: SDEOptions

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Poly-exponential sigmas and 0, ``[steps + 1]``."""
        return request.polyexponential()

    def sample(
        self, model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Alternates steps down the ODE with fresh noise."""
        steps = len(sigmas) - 1
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            added = self.options.eta * sigma_next * (1 - (sigma_next / sigma) ** 2).sqrt()
            added = added.minimum(sigma_next)
            target = (sigma_next**2 - added**2).sqrt()
            denoised = model(x, sigma)
            if target > 0:
                middle = (sigma * target).sqrt()
                # A first-order step: the latents move towards the clean ones as sigma falls.
                halfway = denoised + (x - denoised) * (middle / sigma)
                denoised = model(halfway, middle)
            x = denoised + (x - denoised) * (target / sigma)
            if self.options.eta > 0 and sigma_next > 0:
                x = x + noise.normal() * self.options.s_noise * added
            on_step(index + 1, steps)
        return x
