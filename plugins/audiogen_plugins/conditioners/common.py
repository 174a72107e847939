"""What several conditioners share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from audiogen_core.interfaces.conditioner import Embedding
from audiogen_core.options import type_name


def projection(dim: int, output_dim: int, *, always: bool) -> nn.Module:
    """A linear layer where the sizes differ or one is asked for; otherwise nothing."""
    return nn.Linear(dim, output_dim) if always or dim != output_dim else nn.Identity()


def project(layer: nn.Module, x: Tensor) -> Tensor:
    """Applies what `projection` made, in its own dtype and on its own device."""
    if isinstance(layer, nn.Linear):
        x = x.to(layer.weight)
    projected: Tensor = layer(x)
    return projected


def one_token(embedded: Tensor) -> Embedding:
    """``[batch, dim]`` as a sequence of one token."""
    tokens = embedded[:, None]
    return Embedding(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))


def check_text(value: Any) -> None:
    """Raises a ValueError for what is no string."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {type_name(value)}")
