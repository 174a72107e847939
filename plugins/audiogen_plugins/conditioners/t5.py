"""Text, through the encoder of a pretrained T5 (Raffel et al. 2019, arXiv 1910.10683)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.models.limits import MAX_WIDTH, Positions
from audiogen_core.options import PluginOptions
from audiogen_plugins.conditioners import pretrained
from audiogen_plugins.conditioners.common import check_text, project, projection
from audiogen_plugins.conditioners.pretrained import Pretrained


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
    """A tokenizer and a model, held where `nn.Module` does not look for submodules."""

    tokenizer: Callable[..., Any]
    model: nn.Module


class T5Conditioner(Conditioner):
    """A text, padded or cut to a fixed number of tokens; padding becomes zero vectors.

    The text encoder is no part of checkpoints. It is loaded by name, by `prepare` or when it is
    first needed, and appears neither among the parameters nor in the state dict.

    Args:
        output_dim: Channels of the tokens.
        source: The tokenizer and the text encoder.
        text_dim: Channels of the text encoder.
        max_length: The number of tokens.
        project_out: Projects even where ``text_dim`` equals ``output_dim``.
    """

    NAME = "t5"
    Options = T5Options

    def __init__(
        self,
        output_dim: int,
        *,
        source: Pretrained,
        text_dim: int,
        max_length: int = 128,
        project_out: bool = False,
    ) -> None:
        super().__init__()
        self.proj_out = projection(text_dim, output_dim, always=project_out)
        self.source = source
        self.max_length = max_length
        self._text_encoder: TextEncoder | None = None

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
            InputError: The text encoder was not found, or is no T5.
            UnavailableError: The network or the Hub failed.
        """
        source = pretrained.find(options.t5_model_name, context, key := "t5_model_name")
        text_dim = source.config().get("d_model")
        if type(text_dim) is not int or not 0 < text_dim <= MAX_WIDTH:
            what = f"'{source}' is no T5: its config has no d_model from 1 to {MAX_WIDTH}"
            raise InputError(Problem(key, what))
        return cls(
            context.output_dim,
            source=source,
            text_dim=text_dim,
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
        self._text_encoder = self._loaded(device, dtype)

    def identity(self) -> dict[str, Any]:
        """The text encoder's name with the commit that was used, or with its folder."""
        return self.source.identity()

    def forward(
        self,
        values: Sequence[str],
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> Embedding:
        """Embeds one text for each sample, as ``[batch, max_length, dim]``."""
        if (encoder := self._text_encoder) is None:
            encoder = self._text_encoder = self._loaded(torch.device("cpu"), torch.float32)
        with pretrained.quiet():
            encoded = encoder.tokenizer(
                list(values),
                truncation=True,
                max_length=self.max_length,
                padding="max_length",
                return_tensors="pt",
            )
        device = next(encoder.model.parameters()).device
        ids, attended = encoded["input_ids"].to(device), encoded["attention_mask"].to(device)
        hidden: Tensor = encoder.model(input_ids=ids, attention_mask=attended).last_hidden_state
        tokens = project(self.proj_out, hidden)
        mask = attended.to(tokens.device, torch.bool)
        return Embedding(tokens * mask[:, :, None], mask)

    def _loaded(self, device: torch.device, dtype: torch.dtype) -> TextEncoder:
        tokenizer = self.source.tokenizer()
        model: nn.Module = self.source.model("T5EncoderModel", dtype=dtype)
        model.eval().requires_grad_(requires_grad=False)
        if dtype == torch.float32:
            round_to_half(model)
        return TextEncoder(tokenizer, model.to(device))


@torch.no_grad()
def round_to_half(model: nn.Module) -> None:
    """Rounds float32 weights to the nearest float16 values, in place.

    Models in this format were trained, and are run by the reference implementation, with text
    encoder weights in float16. Computing in float32 with those values gives the embeddings that
    a model knows, without float16's errors in between.
    """
    for parameter in model.parameters():
        parameter.copy_(parameter.half())
