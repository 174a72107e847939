"""The Runge-Kutta method for rectified flows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from audiogen_core.interfaces.sampler import FlowSampler, ScheduleRequest

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import OnStep, VelocityModel


class FlowRK4(FlowSampler):
    """The classical fourth-order Runge-Kutta method on the flow's ODE, dx/dt = velocity.

    Kutta (1901), "Beitrag zur naherungsweisen Integration totaler Differentialgleichungen"; the
    ODE is that of Liu, Gong and Liu (2022), "Flow Straight and Fast", arXiv:2209.03003, and the
    shift of the times with length that of Esser et al. (2024), "Scaling Rectified Flow
    Transformers for High-Resolution Image Synthesis", arXiv:2403.03206, section 5.3.2. Order 4;
    four model evaluations a step.
    """

    NAME = "rk4"
    ORDER = 4

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Times spaced evenly, then shifted as the model asks, ``[steps + 1]``."""
        times = request.linear()
        return times if request.shift is None else request.shift(times, request.latents)

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
            step = t_next - t
            middle = t + step / 2
            v_1 = model(x, t)
            v_2 = model(x + step / 2 * v_1, middle)
            v_3 = model(x + step / 2 * v_2, middle)
            v_4 = model(x + step * v_3, t_next)
            x = x + step / 6 * (v_1 + 2 * v_2 + 2 * v_3 + v_4)
            on_step(index + 1, len(times) - 1)
        return x
