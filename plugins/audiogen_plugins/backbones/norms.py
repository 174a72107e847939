"""Normalisation and scaling layers of the transformer, with the tensor names of its checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class LayerNorm(nn.Module):
    """Layer norm (Ba et al. 2016, arXiv 1607.06450) whose ``beta`` is stored even without a bias.

    Args:
        dim: Channels.
        eps: Added to the variance.
        bias: Whether ``beta`` was learned; otherwise it is a stored buffer of zeros.
        fix_scale: Whether ``gamma`` is a buffer of ones instead of a learned scale.
        force_fp32: Whether to normalise in float32 whatever the input's type.
    """

    gamma: Tensor
    beta: Tensor

    def __init__(
        self,
        dim: int,
        *,
        eps: float = 1e-5,
        bias: bool = False,
        fix_scale: bool = False,
        force_fp32: bool = False,
    ) -> None:
        super().__init__()
        self.eps = eps
        self.force_fp32 = force_fp32
        _register(self, "gamma", torch.ones(dim), learned=not fix_scale)
        _register(self, "beta", torch.zeros(dim), learned=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Normalises the last dimension, ``[..., dim]`` to ``[..., dim]``."""
        shape = x.shape[-1:]
        if self.force_fp32:
            wide = functional.layer_norm(
                x.float(), shape, self.gamma.float(), self.beta.float(), self.eps
            )
            return wide.to(x.dtype)
        return functional.layer_norm(x, shape, self.gamma, self.beta, self.eps)


class DynamicTanh(nn.Module):
    """A squashing in place of a norm, ``gamma * tanh(alpha * x) + beta`` (arXiv 2503.10622)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((1,), 10.0))
        self.gamma = nn.Parameter(torch.ones(dim))
        self.beta = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """``[..., dim]`` to ``[..., dim]``."""
        return self.gamma * torch.tanh(self.alpha * x) + self.beta


class LayerScale(nn.Module):
    """A learned scale for each channel of a residual branch (Touvron et al. 2021, 2103.17239)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((dim,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """``[..., dim]`` to ``[..., dim]``."""
        return x * self.scale


def _register(module: nn.Module, name: str, values: Tensor, *, learned: bool) -> None:
    if learned:
        module.register_parameter(name, nn.Parameter(values))
    else:
        module.register_buffer(name, values)
