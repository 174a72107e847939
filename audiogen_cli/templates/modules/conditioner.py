"""The conditioner: a number on a scale, as one token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field
from torch import nn

from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.options import PluginOptions


class ScaleOptions(PluginOptions):
    """The keys of its ``config``."""

    highest: float = Field(10.0, gt=0, description="The upper end of the scale; 0 is the lower.")


class MyPlugin(Conditioner):
    """A number from 0 to the highest, embedded by one linear layer."""

    NAME = "my-plugin"
    Options = ScaleOptions

    def __init__(self, output_dim: int, *, highest: float) -> None:
        super().__init__()
        self.embed = nn.Linear(1, output_dim)
        self.highest = highest

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """Values that it takes, and values that it refuses."""
        return {"good": [0, 2.5, 10], "bad": [-1, 11, "high", None, True]}

    @classmethod
    def build(cls, options: ScaleOptions, context: BuildContext) -> Self:
        """Makes the module."""
        return cls(context.output_dim, highest=options.highest)

    @classmethod
    def check(cls, value: Any, options: ScaleOptions) -> None:
        """Allows numbers of the scale.

        Raises:
            ValueError: It is none.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= options.highest:
            raise ValueError(f"must be a number from 0 to {options.highest:g}, not {value!r}")

    def forward(self, values: Sequence[Any], generators: Sequence[torch.Generator]) -> Embedding:
        """Embeds one number for each sample, as ``[batch, 1, dim]``."""
        del generators
        weight = self.embed.weight
        numbers = torch.tensor(values, dtype=weight.dtype, device=weight.device) / self.highest
        tokens = self.embed(numbers[:, None])[:, None]
        return Embedding(
            tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=weight.device)
        )
