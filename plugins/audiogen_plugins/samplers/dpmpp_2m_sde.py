"""DPM-Solver++(2M) for the SDE."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_plugins.samplers._sde import SDEOptions, brownian_path

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep


class DPMPP2MSDEOptions(SDEOptions):
    """The noise, and how the last two predictions are joined."""

    solver_type: Literal["midpoint", "heun"] = Field(
        default="midpoint",
        description="Second-order term: midpoint extrapolates to half the step; heun integrates "
        "the extrapolation over it.",
    )


class DPMPP2MSDE(SigmaSampler):
    """A two-step method on the denoised latents, with noise from a Brownian path.

    SDE-DPM-Solver++(2M) of Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver++: Fast Solver for
    Guided Sampling of Diffusion Probabilistic Models", arXiv:2211.01095, with the SDE's noise
    scaled by eta. Order 2 with eta 0, where midpoint is dpmpp-2m; one model evaluation a step.
    """

    NAME = "dpmpp-2m-sde"
    ORDER = 2
    Options = DPMPP2MSDEOptions
    options: DPMPP2MSDEOptions

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
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            denoised = model(x, sigma)
            if sigma_next == 0:
                x = denoised
            else:
                h = (sigma / sigma_next).log()
                decay = (1 + eta) * h
                pull = -(-decay).expm1()
                x = (-decay).exp() * x + pull * denoised
                if last is not None:
                    last_denoised, last_h = last
                    heun = self.options.solver_type == "heun"
                    weight = 1 - pull / decay if heun else pull / 2
                    x = x + weight * (h / last_h) * (denoised - last_denoised)
                if path is not None:
                    spread = sigma_next * (-(-2 * eta * h).expm1()).sqrt()
                    x = x + path(sigma, sigma_next) * spread * s_noise
                last = denoised, h
            on_step(index + 1, steps)
        return x
