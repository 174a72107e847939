"""DPM-Solver++(3M) for the SDE."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_plugins.samplers._sde import SDEOptions, brownian_path

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep


class DPMPP3MSDE(SigmaSampler):
    """A three-step method on the denoised latents, with noise from a Brownian path.

    SDE-DPM-Solver++ of Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver++: Fast Solver for
    Guided Sampling of Diffusion Probabilistic Models", arXiv:2211.01095, over the parabola in log
    sigma through the last three predictions instead of a line. The first step has one prediction
    and the second two. Order 2 with eta 0, at a third of dpmpp-2m's error: the parabola's square
    term has half the weight of its exact integral, as in the solver that the published models were
    tuned with; the whole weight would make it order 3. One model evaluation a step.
    """

    NAME = "dpmpp-3m-sde"
    ORDER = 2
    Options = SDEOptions
    options: SDEOptions

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Poly-exponential sigmas and 0, ``[steps + 1]``."""
        return request.distinct_polyexponential()

    def sample(
        self, model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Follows the SDE; the step to 0 returns the denoised latents."""
        steps = len(sigmas) - 1
        eta, s_noise = self.options.eta, self.options.s_noise
        path = brownian_path(noise, sigmas, eta)
        last: tuple[Tensor, Tensor] | None = None
        last_slope: tuple[Tensor, Tensor] | None = None
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            denoised = model(x, sigma)
            if sigma_next == 0:
                x = denoised
            else:
                h = (sigma / sigma_next).log()
                decay = (1 + eta) * h
                phi_1 = -(-decay).expm1()
                phi_2 = 1 - phi_1 / decay
                x = (-decay).exp() * x + phi_1 * denoised
                if last is not None:
                    # Newton's divided differences of the predictions over log sigma.
                    last_denoised, last_h = last
                    slope = secant = (denoised - last_denoised) / last_h
                    if last_slope is not None:
                        older_secant, older_h = last_slope
                        curvature = (secant - older_secant) / (last_h + older_h)
                        slope = secant + curvature * last_h
                        x = x - (phi_2 / decay - 0.5) * h**2 * curvature
                    x = x + phi_2 * h * slope
                    last_slope = secant, last_h
                if path is not None:
                    spread = sigma_next * (-(-2 * eta * h).expm1()).sqrt()
                    x = x + path(sigma, sigma_next) * spread * s_noise
                last = denoised, h
            on_step(index + 1, steps)
        return x
