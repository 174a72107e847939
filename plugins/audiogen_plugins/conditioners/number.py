"""Numbers, such as a start or a length in seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.options import PluginOptions, shown, type_name
from audiogen_plugins.conditioners.common import one_token

FEATURES = 256


class NumberOptions(PluginOptions):
    """The keys of its ``config``."""

    min_val: float = 0
    max_val: float = 1

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_val >= self.max_val:
            raise ValueError(f"min_val ({self.min_val:g}) must be below max_val ({self.max_val:g})")
        return self


class FourierFeatures(nn.Module):
    """A number, and sines and cosines of learned multiples of it."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(features // 2))

    def forward(self, x: Tensor) -> Tensor:
        """``[batch]`` to ``[batch, features + 1]``, computed in float32 at least."""
        x = x[:, None]
        angles = x * self.weights.to(x.dtype) * 2 * math.pi
        return torch.cat((x, angles.sin(), angles.cos()), dim=-1).to(self.weights.dtype)


class NumberEmbedder(nn.Module):
    """Fourier features and a linear layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Sequential(FourierFeatures(FEATURES), nn.Linear(FEATURES + 1, dim))

    def forward(self, x: Tensor) -> Tensor:
        """``[batch]`` to ``[batch, dim]``."""
        out: Tensor = self.embedding(x)
        return out


class NumberConditioner(Conditioner):
    """A number within a range, as one token.

    Args:
        output_dim: Channels of the token.
        min_val: What is embedded as 0.
        max_val: What is embedded as 1.
    """

    NAME = "number"
    Options = NumberOptions

    def __init__(self, output_dim: int, *, min_val: float = 0, max_val: float = 1) -> None:
        super().__init__()
        self.embedder = NumberEmbedder(output_dim)
        self.min_val = min_val
        self.max_val = max_val

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Numbers within the range, and what is none of them."""
        return {
            "options": {"max_val": 512},
            "good": [0, 47.5, 512],
            "bad": [-1, 513, "30", True, None],
        }

    @classmethod
    def build(cls, options: NumberOptions, context: BuildContext) -> Self:
        """Makes the module."""
        return cls(context.output_dim, min_val=options.min_val, max_val=options.max_val)

    @classmethod
    def check(cls, value: Any, options: NumberOptions) -> None:
        """Allows finite numbers within the range.

        Raises:
            ValueError: It is none.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"must be a number, not {type_name(value)}")
        if not options.min_val <= value <= options.max_val:
            allowed = f"{options.min_val:g} to {options.max_val:g}"
            raise ValueError(f"must be a number from {allowed}, not {shown(value)}")

    def forward(
        self,
        values: Sequence[float],
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> Embedding:
        """Embeds one number for each sample, as ``[batch, 1, dim]``."""
        device = next(self.parameters()).device
        numbers = torch.tensor([float(value) for value in values], device=device)
        numbers = numbers.clamp(self.min_val, self.max_val)
        return one_token(self.embedder((numbers - self.min_val) / (self.max_val - self.min_val)))
