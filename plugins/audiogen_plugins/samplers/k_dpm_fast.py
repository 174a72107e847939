"""DPM-Solver-fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_plugins.samplers._dpm_solver import first_order, second_order, third_order

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep

SOLVERS: Final = {1: first_order, 2: second_order, 3: third_order}


class KDPMFast(SigmaSampler):
    """DPM-Solver-3 steps, ended by smaller ones so that ``steps`` counts the model evaluations.

    DPM-Solver-fast of Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver: A Fast ODE Solver for
    Diffusion Probabilistic Model Sampling in Around 10 Steps", arXiv:2206.00927. It stops at
    sigma_min, where the latents still hold that little noise. Order 3 (the steps of a lower order
    come where sigma is smallest); one model evaluation for each of ``steps``.
    """

    NAME = "k-dpm-fast"
    ORDER = 3

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """The levels of all model evaluations and sigma_min, ``[steps + 1]``.

        The solver's steps are even in log sigma, and so are the evaluations within each.
        """
        orders = solver_orders(request.steps)
        places = [step + part / order for step, order in enumerate(orders) for part in range(order)]
        # The first level is the schedule's own, to the last bit: it scales the initial noise.
        first = request.polyexponential()[0]
        ratio = request.sigma_min / float(first)
        levels = [float(first) * ratio ** (place / len(orders)) for place in [*places, len(orders)]]
        return first.new_tensor(levels)

    def sample(
        self,
        model: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        noise: NoiseSource,  # noqa: ARG002
        on_step: OnStep,
    ) -> Tensor:
        """Solves the ODE over log sigma; counts model evaluations as steps."""
        steps = len(sigmas) - 1
        done = 0
        for order in solver_orders(steps):
            x = SOLVERS[order](model, x, sigmas[done : done + order + 1])
            done += order
            on_step(done, steps)
        return x


def solver_orders(evaluations: int) -> list[int]:
    """The orders of the solver's steps, which add up to ``evaluations``, 3 wherever possible.

    The last is never 3: that step ends at the lowest sigma, where it would gain nothing.
    """
    threes, rest = divmod(evaluations, 3)
    return [3] * threes + [rest] if rest else [3] * (threes - 1) + [2, 1]
