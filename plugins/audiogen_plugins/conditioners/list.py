"""A choice from a list of words, each with a learned embedding of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field
from torch import nn

from audiogen_core.errors import did_you_mean, listed
from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.options import PluginOptions, shown
from audiogen_plugins.conditioners.common import check_text, one_token

MAX_WORDS = 4096
"""A message lists them, and a word that is none of them is compared with each."""


class ListOptions(PluginOptions):
    """The keys of its ``config``."""

    options: list[str] = Field(min_length=1, max_length=MAX_WORDS, examples=[["slow", "fast"]])


class ListConditioner(Conditioner):
    """One of several words, as one token.

    Args:
        output_dim: Channels of the token.
        words: The words, in the order of training.
    """

    NAME = "list"
    Options = ListOptions

    def __init__(self, output_dim: int, *, words: Sequence[str]) -> None:
        super().__init__()
        # Row 0 stood for unknown words; `check` allows none.
        self.embedder = nn.Embedding(len(words) + 1, output_dim)
        self.words = list(words)

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Words of a list, and what is none of them."""
        return {
            "options": {"options": ["slow", "fast"]},
            "good": ["slow", "fast"],
            "bad": ["", 3, None],
        }

    @classmethod
    def build(cls, options: ListOptions, context: BuildContext) -> Self:
        """Makes the module."""
        return cls(context.output_dim, words=options.options)

    @classmethod
    def check(cls, value: Any, options: ListOptions) -> None:
        """Allows the words of the list.

        Raises:
            ValueError: It is none.
        """
        check_text(value)
        if value not in options.options:
            hint = did_you_mean(value, options.options)
            raise ValueError(
                f"{shown(value)} is not known{hint}; allowed: {listed(options.options)}"
            )

    def forward(
        self,
        values: Sequence[str],
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> Embedding:
        """Embeds one word for each sample, as ``[batch, 1, dim]``."""
        indices = [self.words.index(word) + 1 for word in values]
        return one_token(self.embedder(torch.tensor(indices, device=self.embedder.weight.device)))
