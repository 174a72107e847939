"""Euler's method for rectified flows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import FlowSampler, ScheduleRequest

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import OnStep, VelocityModel


class FlowEuler(FlowSampler):
    """Euler's method on the flow's ODE, dx/dt = velocity.

    Liu, Gong and Liu (2022), "Flow Straight and Fast: Learning to Generate and Transfer Data with
    Rectified Flow", arXiv:2209.03003: the straighter the flow, the fewer steps. Order 1; one model
    evaluation a step.
    """

    NAME = "euler"
    ORDER = 1

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
        for index, (t, t_next) in enumerate(pairwise(times)):
            x = x + (t_next - t) * model(x, t)
            on_step(index + 1, len(times) - 1)
        return x
