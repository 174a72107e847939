"""The text encoder: a small T5 with a tokenizer of whole words."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audiogen_core.torchaudio_shim import import_torchaudio
from audiogen_training.captions import WORD, vocabulary
from audiogen_training.recipe import Recipe

SPECIAL = ("<pad>", "</s>", "<unk>")


def transformers() -> Any:
    """The package, once torchaudio has been seen to."""
    import_torchaudio()
    return importlib.import_module("transformers")


@cache
def tokenizer() -> Any:
    """Splits lower-cased text into words, each of which the captions know."""
    tokenizers: Any = importlib.import_module("tokenizers")
    words = {word: index for index, word in enumerate([*SPECIAL, *vocabulary()])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))  # noqa: S106
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.pre_tokenizer = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(WORD), "removed", invert=True
    )
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", words["</s>"])]
    )
    return made


def tokenize(texts: Sequence[str], length: int) -> Tensor:
    """``[texts, length]``, padded with zeros."""
    rows = torch.zeros((len(texts), length), dtype=torch.long)
    for row, text in zip(rows, texts, strict=True):
        ids = tokenizer().encode(text).ids[:length]
        row[: len(ids)] = torch.tensor(ids)
    return rows


def build_text_encoder(recipe: Recipe) -> Any:
    """A T5 encoder with fresh weights."""
    package = transformers()
    config = package.T5Config(
        vocab_size=len(SPECIAL) + len(vocabulary()),
        d_model=recipe.cond_dim,
        d_kv=32,
        d_ff=3 * recipe.cond_dim,
        num_layers=recipe.text_layers,
        num_heads=4,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = package.T5EncoderModel(config)
    # Words that are rare move faster when they start small.
    with torch.no_grad():
        model.shared.weight.mul_(0.2)
    return model


def save_text_encoder(model: Any, folder: Path) -> None:
    """Writes the encoder with its tokenizer, as transformers loads them."""
    transformers().PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(),
        pad_token="<pad>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    ).save_pretrained(folder)
    model.save_pretrained(folder)
