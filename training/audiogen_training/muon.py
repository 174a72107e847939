"""Muon, an optimiser for matrices (Jordan et al. 2024, kellerjordan.github.io/posts/muon)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""The coefficients of the iteration that the paper gives."""


def orthogonalised(matrices: Tensor, steps: int = 5, number: torch.dtype = torch.float32) -> Tensor:
    """Matrices with the same singular vectors and singular values near 1.

    By a Newton-Schulz iteration.

    Args:
        matrices: ``[count, rows, columns]``.
        steps: Of the iteration.
        number: What it is computed in. Unlike in torch, float32: bfloat16 is slow on many CPUs.
    """
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(number)
    a, b, c = QUINTIC
    for _ in range(steps):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT).to(matrices.dtype)


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
        """Updates every parameter that has a gradient; those of one shape at once."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for one in group["params"]:
                if one.grad is not None:
                    shapes[one.flatten(1).shape].append(one)
            for shape, parameters in shapes.items():
                ahead = torch.stack([self._ahead(one, group["momentum"]) for one in parameters])
                size = 0.2 * max(shape) ** 0.5
                updates = orthogonalised(ahead, number=self._number) * size
                for one, update in zip(parameters, updates, strict=True):
                    one.mul_(1 - group["lr"] * group["weight_decay"])
                    one.sub_(update.view_as(one), alpha=group["lr"])

    def _ahead(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """The gradient and the average that it joins, ``[rows, columns]``."""
        state, gradient = self.state[parameter], parameter.grad
        if gradient is None:
            raise ValueError("the parameter has no gradient")
        if "average" not in state:
            state["average"] = torch.zeros_like(parameter)
        average: Tensor = state["average"]
        average.lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum).flatten(1)
