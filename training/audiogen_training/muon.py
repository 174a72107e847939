"""Muon, an optimiser for matrices (Jordan et al. 2024, kellerjordan.github.io/posts/muon)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""The coefficients of the iteration that the paper gives."""


def orthogonalised(matrix: Tensor, steps: int = 5, number: torch.dtype = torch.float32) -> Tensor:
    """A matrix with the same singular vectors and singular values near 1.

    By a Newton-Schulz iteration.

    Args:
        matrix: ``[rows, columns]``.
        steps: Of the iteration.
        number: What it is computed in. Unlike in torch, float32: bfloat16 is slow on many CPUs.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = (x / (x.norm() + 1e-7)).to(number)
    a, b, c = QUINTIC
    for _ in range(steps):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.T).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum whose every update is a nearly orthogonal matrix.

    Args:
        parameters: Of two dimensions or more; those after the first count as one.
        lr: The root mean square of an update's entries is a fifth of this, as AdamW's is
            (Liu et al. 2025, arXiv:2502.16982), so that both share one learning rate.
        momentum: How much of the last update stays.
        weight_decay: As AdamW's.
        number: What updates are made orthogonal in.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        number: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._number = number

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Updates every parameter that has a gradient."""
        for group in self.param_groups:
            for one in group["params"]:
                if one.grad is None:
                    continue
                state = self.state[one]
                if "average" not in state:
                    state["average"] = torch.zeros_like(one)
                average = state["average"]
                average.lerp_(one.grad, 1 - group["momentum"])
                ahead = one.grad.lerp(average, group["momentum"]).flatten(1)
                update = orthogonalised(ahead, number=self._number) * (
                    0.2 * max(ahead.shape) ** 0.5
                )
                one.mul_(1 - group["lr"] * group["weight_decay"])
                one.sub_(update.view_as(one), alpha=group["lr"])
