"""Ping-pong sampling for few-step flows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import FlowSampler, ScheduleRequest

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import OnStep, VelocityModel


class FlowPingPong(FlowSampler):
    """Denoises all the way, adds noise for the next time, and so on.

    Algorithm 1 of Song, Dhariwal, Chen and Sutskever (2023), "Consistency Models",
    arXiv:2303.01469, which Novack et al. (2025), "Fast Text-to-Audio Generation with Adversarial
    Post-Training", arXiv:2505.08175, use for flows under the name of ping-pong sampling. It is
    for models trained to denoise in one step and has no order: the noise is new in every step,
    however many there are. One model evaluation a step.
    """

    NAME = "pingpong"
    ORDER = None

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Times spaced evenly in log-SNR, ``[steps + 1]``."""
        return request.log_snr()

    def sample(
        self, model: VelocityModel, x: Tensor, times: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Alternates between clean latents and noisy ones, and returns the last clean ones."""
        for index, (t, t_next) in enumerate(pairwise(times)):
            x = x - t * model(x, t)
            if t_next > 0:
                x = (1 - t_next) * x + t_next * noise.normal()
            on_step(index + 1, len(times) - 1)
        return x
