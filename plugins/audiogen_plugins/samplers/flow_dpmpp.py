"""DPM-Solver++(2M) for rectified flows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import FlowSampler, ScheduleRequest

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import OnStep, VelocityModel


class FlowDPMPP(FlowSampler):
    """A two-step method on the denoised latents of a flow.

    Algorithm 2 of Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver++: Fast Solver for Guided
    Sampling of Diffusion Probabilistic Models", arXiv:2211.01095, with alpha = 1 - t and
    sigma = t: predictions are extrapolated in lambda = log((1 - t) / t). The first step and the
    last are of first order, and so is the second one after a start at t = 1, where lambda is
    minus infinity. Order 2; one model evaluation a step.
    """

    NAME = "dpmpp"
    ORDER = 2

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Times spaced evenly in log-SNR, ``[steps + 1]``."""
        return request.log_snr()

    def sample(
        self,
        model: VelocityModel,
        x: Tensor,
        times: Tensor,
        noise: NoiseSource,  # noqa: ARG002
        on_step: OnStep,
    ) -> Tensor:
        """Follows the ODE down to the last time."""
        steps = len(times) - 1
        last: tuple[Tensor, Tensor] | None = None
        for index, (t, t_next) in enumerate(pairwise(times)):
            denoised = middle = x - t * model(x, t)
            h = ((1 - t_next) / t_next).log() - ((1 - t) / t).log()
            if last is not None and t_next > 0:
                last_denoised, last_h = last
                middle = denoised + (denoised - last_denoised) * (h / last_h / 2)
            kept = t_next / t
            x = kept * x + (1 - t_next - kept * (1 - t)) * middle
            last = denoised, h
            on_step(index + 1, steps)
        return x
