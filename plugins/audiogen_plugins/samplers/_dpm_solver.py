"""Single steps of DPM-Solver, for latents that are clean latents plus sigma times noise.

Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic
Model Sampling in Around 10 Steps", arXiv:2206.00927. With this parametrisation the exact solution
(proposition 3.1) is the integral of the predicted noise eps over sigma, and each step models eps
by a polynomial in log sigma.

A step takes its noise levels (`Levels`): where it starts, the levels in between at which the
model is evaluated, and where it ends. They are ``[]``, or ``[batch, 1, 1]`` where each sample has
its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.interfaces.sampler import Denoiser

Levels: TypeAlias = "Sequence[Tensor] | Tensor"


def first_order(model: Denoiser, x: Tensor, levels: Levels) -> Tensor:
    """DPM-Solver-1 (equation 3.7), which is DDIM: eps is constant. One model evaluation."""
    start, end = levels
    return x + (end - start) * predicted_noise(model, x, start)


def second_order(model: Denoiser, x: Tensor, levels: Levels) -> Tensor:
    """DPM-Solver-2 (algorithm 1): eps is taken from the middle. Two model evaluations."""
    start, middle, _ = levels
    eps = predicted_noise(model, x, start)
    eps_middle = predicted_noise(model, x + (middle - start) * eps, middle)
    return _through_middle(x, levels, eps, eps_middle)


def third_order(model: Denoiser, x: Tensor, levels: Levels) -> Tensor:
    """DPM-Solver-3 (algorithm 2): eps is a line. Three model evaluations."""
    return third_order_pair(model, x, levels)[1]


def third_order_pair(model: Denoiser, x: Tensor, levels: Levels) -> tuple[Tensor, Tensor]:
    """The step of DPM-Solver-3 and, from the same three evaluations, that of DPM-Solver-2.

    Returns:
        The second-order and the third-order estimate, each ``[batch, channels, latents]``.
    """
    start, near, far, end = levels
    eps = predicted_noise(model, x, start)
    eps_near = predicted_noise(model, x + (near - start) * eps, near)
    x_far = _along_line(x, start, near, far, eps, eps_near)
    eps_far = predicted_noise(model, x_far, far)
    second = _through_middle(x, (start, near, end), eps, eps_near)
    return second, _along_line(x, start, far, end, eps, eps_far)


def predicted_noise(model: Denoiser, x: Tensor, sigma: Tensor) -> Tensor:
    """The unit noise in ``x`` by the model, ``[batch, channels, latents]``."""
    # A model takes sigma as [] or [batch].
    return (x - model(x, sigma.view(sigma.shape[:1]))) / sigma


def _through_middle(x: Tensor, levels: Levels, eps: Tensor, eps_middle: Tensor) -> Tensor:
    start, middle, end = levels
    twice_r = 2 * (start / middle).log() / (start / end).log()
    return x + (end - start) * (eps + (eps_middle - eps) / twice_r)


def _along_line(
    x: Tensor, start: Tensor, other: Tensor, end: Tensor, eps: Tensor, eps_other: Tensor
) -> Tensor:
    """The exact step where eps is the line in log sigma through its values at two levels."""
    slope = (eps_other - eps) / (start / other).log()
    return x + (end - start) * eps - (start - end - end * (start / end).log()) * slope
