"""Whole numbers, each with a learned embedding of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.models.limits import MAX_POSITIONS
from audiogen_core.options import PluginOptions, shown
from audiogen_plugins.conditioners.common import one_token


class IntOptions(PluginOptions):
    """The keys of its ``config``."""

    min_val: int = Field(default=0, ge=-MAX_POSITIONS, le=MAX_POSITIONS)
    max_val: int = Field(default=512, ge=-MAX_POSITIONS, le=MAX_POSITIONS)

    @model_validator(mode="after")
    def _some_allowed(self) -> Self:
        if not self.allowed:
            raise ValueError(
                f"no whole number can be embedded with min_val {self.min_val} and max_val"
                f" {self.max_val}"
            )
        return self

    @property
    def rows(self) -> int:
        """How many embeddings there are."""
        return self.max_val - self.min_val + 1

    @property
    def allowed(self) -> range:
        """The numbers that can be embedded.

        A number is itself the index of its embedding, whatever ``min_val``: so have models been
        trained. Those that have no embedding at their index are left out here.
        """
        return range(max(self.min_val, 0), min(self.max_val + 1, self.rows))


class IntConditioner(Conditioner):
    """A whole number within a range, as one token.

    Args:
        output_dim: Channels of the token.
        rows: How many embeddings there are, for the numbers from 0.
    """

    NAME = "int"
    Options = IntOptions

    def __init__(self, output_dim: int, *, rows: int) -> None:
        super().__init__()
        self.int_embedder = nn.Embedding(rows, output_dim)

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Whole numbers within the range, and what is none of them."""
        return {
            "options": {"max_val": 9},
            "good": [0, 5, 7.0],
            "bad": [-1, 10, 2.5, True, "3", None],
        }

    @classmethod
    def build(cls, options: IntOptions, context: BuildContext) -> Self:
        """Makes the module."""
        return cls(context.output_dim, rows=options.rows)

    @classmethod
    def check(cls, value: Any, options: IntOptions) -> None:
        """Allows whole numbers within the range.

        Raises:
            ValueError: It is none.
        """
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        allowed = options.allowed
        if isinstance(value, bool) or not whole or int(value) not in allowed:
            raise ValueError(
                f"must be a whole number from {allowed[0]} to {allowed[-1]}, not {shown(value)}"
            )

    def forward(
        self,
        values: Sequence[float],
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> Embedding:
        """Embeds one number for each sample, as ``[batch, 1, dim]``."""
        device = self.int_embedder.weight.device
        indices = torch.tensor([int(value) for value in values], device=device)
        return one_token(self.int_embedder(indices))
