"""The linear multistep method of Adams and Bashforth."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import prod, sqrt
from typing import TYPE_CHECKING

from pydantic import Field

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep

MOST_MAGNIFIED = 1e4
"""How much larger than a step the weights of its slopes may be, without their signs."""


class LMSOptions(PluginOptions):
    """How many slopes a step is made from."""

    order: int = Field(
        default=4, ge=1, le=4, description="Number of past slopes that a step is made from."
    )


class KLMS(SigmaSampler):
    """Adams-Bashforth on the probability-flow ODE, for unevenly spaced sigmas.

    Each step integrates the polynomial through the last ``order`` slopes exactly (Hairer, Norsett
    and Wanner, 1993, "Solving Ordinary Differential Equations I", section III.5). Over diffusion
    models it is the rho-AB method of Zhang and Chen (2023), "Fast Sampling of Diffusion Models
    with Exponential Integrator", arXiv:2204.13902. Order 4 (the first steps have fewer slopes, at
    noise levels where little changes); one model evaluation a step.
    """

    NAME = "k-lms"
    ORDER = 4
    Options = LMSOptions
    options: LMSOptions

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Poly-exponential sigmas and 0, ``[steps + 1]``."""
        return request.distinct_polyexponential()

    def sample(
        self,
        model: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        noise: NoiseSource,  # noqa: ARG002
        on_step: OnStep,
    ) -> Tensor:
        """Follows dx/dsigma = (x - denoised) / sigma down to the last level."""
        steps = len(sigmas) - 1
        levels: list[float] = sigmas.tolist()
        slopes: deque[Tensor] = deque(maxlen=self.options.order)  # the newest first
        for index in range(steps):
            slopes.appendleft((x - model(x, sigmas[index])) / sigmas[index])
            past = levels[index::-1][: len(slopes)]
            weights = steady(past, levels[index + 1])
            x = x + sum(weight * slope for weight, slope in zip(weights, slopes, strict=False))
            on_step(index + 1, steps)
        return x


def steady(past: Sequence[float], target: float) -> list[float]:
    """The weights of as many of the slopes as can be trusted, the newest first.

    Where levels are close together beside a step, as with a high ``rho`` before the last one, the
    polynomial through all of them magnifies what rounding has left.
    """
    most = MOST_MAGNIFIED * abs(target - past[0])
    while True:
        weights = adams_bashforth(past, target)
        if len(past) == 1 or sum(map(abs, weights)) <= most:
            return weights
        past = past[:-1]


def adams_bashforth(past: Sequence[float], target: float) -> list[float]:
    """Weights of the slopes at ``past`` in the step from ``past[0]`` to ``target``.

    The weight of a slope is the integral of its Lagrange polynomial. Gauss' rule with two nodes
    integrates polynomials up to degree 3 exactly, and so up to four slopes.
    """
    half = (target - past[0]) / 2
    nodes = [past[0] + half * (1 + side / sqrt(3)) for side in (-1, 1)]

    def lagrange(chosen: float, at: float) -> float:
        return prod((at - other) / (chosen - other) for other in past if other != chosen)

    return [half * sum(lagrange(level, node) for node in nodes) for level in past]
