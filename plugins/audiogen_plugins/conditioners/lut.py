"""Text, through a table with one learned embedding for each word piece of a tokenizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.models.limits import Positions
from audiogen_core.options import PluginOptions
from audiogen_plugins.conditioners import pretrained
from audiogen_plugins.conditioners.common import check_text, project, projection
from audiogen_plugins.conditioners.pretrained import AnyTokenizer, Pretrained, Tokenizer

MAX_SPECIAL_TOKENS = 1000
"""A tokenizer looks for each of them in every text."""


class LookupOptions(PluginOptions):
    """The keys of its ``config``."""

    tokenizer_name: str = Field(min_length=1, examples=["t5-base"])
    max_length: Positions = 1024
    use_abs_pos_emb: bool = False
    project_out: bool = False
    special_tokens: list[str] = Field(default=[], max_length=MAX_SPECIAL_TOKENS)


class PositionEmbedding(nn.Module):
    """One learned vector for each position."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(length, dim)

    def forward(self) -> Tensor:
        """``[length, dim]``."""
        table: Tensor = self.emb.weight
        return table * (1 / math.sqrt(table.shape[1]))


class LookupConditioner(Conditioner):
    """A text, padded or cut to a fixed number of tokens.

    Padding becomes zero vectors, to which positions are added as to all others.

    Args:
        output_dim: Channels of the tokens.
        source: Where the tokenizer is from.
        tokenizer: A tokenizer of transformers.
        vocabulary: How many tokens it knows.
        max_length: The number of tokens of the embedding.
        use_abs_pos_emb: Adds a learned vector for each position.
        project_out: Projects the embeddings.
    """

    NAME = "lut"
    Options = LookupOptions

    def __init__(
        self,
        output_dim: int,
        *,
        source: Pretrained,
        tokenizer: Tokenizer,
        vocabulary: int,
        max_length: int = 1024,
        use_abs_pos_emb: bool = False,
        project_out: bool = False,
    ) -> None:
        super().__init__()
        self.token_embedder = nn.Embedding(vocabulary, output_dim)
        self.proj_out = projection(output_dim, output_dim, always=project_out)
        self.abs_pos_emb = PositionEmbedding(output_dim, max_length) if use_abs_pos_emb else None
        self.source = source
        self.tokenizer = tokenizer
        self.max_length = max_length

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """Texts, and the tokenizer of a tiny text encoder."""
        from audiogen_core.testing.tiny_model import write_tiny_text_encoder

        write_tiny_text_encoder(folder / "t5")
        options = {"tokenizer_name": "t5", "max_length": 6}
        texts = ["jazz", "", "a dark deep loop with loud heavy bass"]
        return {"options": options, "good": texts, "bad": [None, 3, ["jazz"]], "folder": folder}

    @classmethod
    def build(cls, options: LookupOptions, context: BuildContext) -> Self:
        """Makes the module, for which the tokenizer is loaded.

        Raises:
            InputError: The tokenizer was not found, or is damaged.
            UnavailableError: The network or the Hub failed.
        """
        source = pretrained.find(
            options.tokenizer_name, context, "tokenizer_name", marker=pretrained.TOKENIZER_CONFIG
        )
        tokenizer = source.any_tokenizer()
        if options.special_tokens:
            tokenizer.add_special_tokens({"additional_special_tokens": options.special_tokens})
        return cls(
            context.output_dim,
            source=source,
            tokenizer=AnyTokenizer(tokenizer),
            vocabulary=len(tokenizer),
            max_length=options.max_length,
            use_abs_pos_emb=options.use_abs_pos_emb,
            project_out=options.project_out,
        )

    @classmethod
    def check(cls, value: Any, options: LookupOptions) -> None:  # noqa: ARG003
        """Allows strings.

        Raises:
            ValueError: It is none.
        """
        check_text(value)

    def identity(self) -> dict[str, Any]:
        """The tokenizer's name with the commit that was used, or with its folder."""
        return self.source.identity()

    def forward(
        self,
        values: Sequence[str],
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> Embedding:
        """Embeds one text for each sample, as ``[batch, max_length, dim]``."""
        device = self.token_embedder.weight.device
        ids, mask = (one.to(device) for one in self.tokenizer(values, self.max_length))
        tokens = project(self.proj_out, self.token_embedder(ids))
        tokens = tokens * mask[:, :, None]
        if self.abs_pos_emb is not None:
            tokens = tokens + self.abs_pos_emb()
        return Embedding(tokens, mask)
