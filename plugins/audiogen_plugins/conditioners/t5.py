"""Text, through the encoder of a pretrained T5 (Raffel et al. 2019, arXiv 1910.10683)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional

from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.models.limits import Positions
from audiogen_core.options import PluginOptions, validate
from audiogen_plugins.conditioners import pretrained
from audiogen_plugins.conditioners.common import check_text, project, projection
from audiogen_plugins.conditioners.pretrained import Pretrained, Tokenizer
from audiogen_plugins.conditioners.t5_encoder import T5Config, T5Encoder

REMEMBERED = 64
"""Of the latest texts: outputs of one prompt follow each other, and negative prompts recur."""


class T5Options(PluginOptions):
    """The keys of its ``config``."""

    t5_model_name: str = Field(default="t5-base", min_length=1)
    max_length: Positions = 128
    enable_grad: bool = False
    project_out: bool = False

    @field_validator("enable_grad")
    @classmethod
    def _not_supported(cls, value: bool) -> bool:
        if value:
            raise ValueError(
                "is not supported when true: the text encoder is loaded by its name, not from"
                " the checkpoint"
            )
        return value


@dataclass(frozen=True)
class TextEncoder:
    """What makes hidden states of texts."""

    tokenizer: Tokenizer
    model: T5Encoder


class T5Conditioner(Conditioner):
    """A text, padded or cut to a fixed number of tokens; padding becomes zero vectors.

    The text encoder is no part of checkpoints. It is loaded by name, by `prepare` or when it is
    needed, and appears neither among the parameters nor in the state dict. Where all texts are
    known, they are embedded, and it is let go.

    Args:
        output_dim: Channels of the tokens.
        source: The tokenizer and the text encoder.
        config: What the text encoder is.
        max_length: The number of tokens.
        project_out: Projects even where the text encoder has ``output_dim`` channels.
    """

    NAME = "t5"
    Options = T5Options

    def __init__(
        self,
        output_dim: int,
        *,
        source: Pretrained,
        config: T5Config,
        max_length: int = 128,
        project_out: bool = False,
    ) -> None:
        super().__init__()
        self.proj_out = projection(config.d_model, output_dim, always=project_out)
        self.source = source
        self.config = config
        self.max_length = max_length
        self._text_encoder: TextEncoder | None = None
        self._place = torch.device("cpu"), torch.float32
        self._known: dict[str, tuple[Tensor, Tensor]] = {}

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """Texts, and a tiny text encoder."""
        from audiogen_core.testing.tiny_model import write_tiny_text_encoder

        write_tiny_text_encoder(folder / "t5")
        options = {"t5_model_name": "t5", "max_length": 6}
        texts = ["jazz", "", "a dark deep loop with loud heavy bass"]
        return {"options": options, "good": texts, "bad": [None, 3, ["jazz"]], "folder": folder}

    @classmethod
    def build(cls, options: T5Options, context: BuildContext) -> Self:
        """Makes the module. Of the text encoder, only its ``config.json`` is read.

        Raises:
            InputError: The text encoder was not found, or is no T5 that is known here.
            UnavailableError: The network or the Hub failed.
        """
        source = pretrained.find(options.t5_model_name, context, key := "t5_model_name")
        known = T5Config.model_fields
        given = {name: value for name, value in source.config().items() if name in known}
        try:
            config = validate(T5Config, given)
        except InputError as error:
            first = error.problems[0]
            what = f"'{source}' is no T5: its config's {first.where}: {first.what}"
            raise InputError(Problem(key, what)) from None
        return cls(
            context.output_dim,
            source=source,
            config=config,
            max_length=options.max_length,
            project_out=options.project_out,
        )

    @classmethod
    def check(cls, value: Any, options: T5Options) -> None:  # noqa: ARG003
        """Allows strings.

        Raises:
            ValueError: It is none.
        """
        check_text(value)

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        """Gets and loads the text encoder.

        Raises:
            InputError: It cannot be loaded.
            UnavailableError: It cannot be downloaded.
        """
        self._place = device, dtype
        self._text_encoder = self._loaded()
        self._known.clear()

    def foresee(self, values: Sequence[str]) -> None:
        """Embeds the texts and lets the text encoder go, where all of them can be remembered."""
        texts = dict.fromkeys(values)
        if len(texts) <= REMEMBERED:
            for text in texts:
                self._encoded(text)
            self._text_encoder = None

    def identity(self) -> dict[str, Any]:
        """The text encoder's name with the commit that was used, or with its folder."""
        return self.source.identity()

    def forward(
        self,
        values: Sequence[str],
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> Embedding:
        """Embeds one text for each sample, as ``[batch, max_length, dim]``."""
        hidden, masks = zip(*map(self._encoded, values), strict=True)
        tokens, mask = project(self.proj_out, torch.cat(hidden)), torch.cat(masks)
        return Embedding(tokens * mask[:, :, None], mask)

    def _encoded(self, text: str) -> tuple[Tensor, Tensor]:
        """The hidden states of a text and which are no padding, with one row each.

        Each text is encoded alone, so that it depends on no other, and equal ones once.
        """
        if (found := self._known.pop(text, None)) is None:
            if (encoder := self._text_encoder) is None:
                encoder = self._text_encoder = self._loaded()
            device = encoder.model.device
            ids, mask = (one.to(device) for one in encoder.tokenizer([text], self.max_length))
            # What pads the end is seen by nothing before it.
            used = int(mask.nonzero()[:, 1].max()) + 1 if mask.any() else 1
            hidden = encoder.model(ids[:, :used], mask[:, :used])
            found = functional.pad(hidden, (0, 0, 0, ids.shape[1] - used)), mask
        self._known[text] = found
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return found

    def _loaded(self) -> TextEncoder:
        tokenizer, files = self.source.tokenizer(), self.source.weights()
        try:
            model = T5Encoder.load(self.config, files, *self._place)
        except (InputError, ValueError) as error:
            raise self.source.broken(error) from error
        return TextEncoder(tokenizer, model)
