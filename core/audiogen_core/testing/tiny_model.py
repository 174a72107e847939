"""A tiny model with random weights in the ordinary format, for tests, demos and plugin authors.

``python -m audiogen_core.testing.tiny_model FOLDER`` writes one.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

# fmt: off
WORDS = (
    "a", "and", "audio", "bass", "beats", "bpm", "bright", "chord", "clap", "cyberpunk", "dance",
    "dark", "deep", "distorted", "drum", "electronic", "fast", "heavy", "high", "jazz", "kick",
    "long", "loop", "loud", "low", "melody", "music", "noise", "of", "organ", "piano", "piece",
    "pluck", "quality", "relaxing", "rising", "saxophone", "short", "siren", "slow", "snare",
    "soft", "sound", "string", "synth", "the", "upbeat", "water", "wind", "with",
)
# fmt: on
"""What the tokenizer of the tiny text encoder knows."""

CONFIG: Mapping[str, Any] = {
    "model_type": "diffusion_cond",
    "sample_size": 98304,
    "sample_rate": 44100,
    "audio_channels": 2,
    "model": {
        "pretransform": {
            "type": "autoencoder",
            "iterate_batch": True,
            "config": {
                "encoder": {
                    "type": "oobleck",
                    "requires_grad": False,
                    "config": {
                        "in_channels": 2,
                        "channels": 4,
                        "c_mults": [1, 2, 4, 8],
                        "strides": [4, 8, 8, 8],
                        "latent_dim": 8,
                        "use_snake": True,
                    },
                },
                "decoder": {
                    "type": "oobleck",
                    "config": {
                        "out_channels": 2,
                        "channels": 4,
                        "c_mults": [1, 2, 4, 8],
                        "strides": [4, 8, 8, 8],
                        "latent_dim": 4,
                        "use_snake": True,
                        "final_tanh": False,
                    },
                },
                "bottleneck": {"type": "vae"},
                "latent_dim": 4,
                "downsampling_ratio": 2048,
                "io_channels": 2,
            },
        },
        "conditioning": {
            "configs": [
                {
                    "id": "prompt",
                    "type": "t5",
                    "config": {"t5_model_name": "t5", "max_length": 16},
                },
                {
                    "id": "seconds_start",
                    "type": "number",
                    "config": {"min_val": 0, "max_val": 512},
                },
                {
                    "id": "seconds_total",
                    "type": "number",
                    "config": {"min_val": 0, "max_val": 512},
                },
            ],
            "cond_dim": 64,
        },
        "diffusion": {
            "cross_attention_cond_ids": ["prompt", "seconds_start", "seconds_total"],
            "global_cond_ids": ["seconds_start", "seconds_total"],
            "type": "dit",
            "config": {
                "io_channels": 4,
                "embed_dim": 64,
                "depth": 2,
                "num_heads": 1,
                "cond_token_dim": 64,
                "global_cond_dim": 128,
                "project_cond_tokens": False,
                "transformer_type": "continuous_transformer",
            },
        },
        "io_channels": 4,
    },
}
"""The config of the tiny model: 2.2 seconds of stereo at 44.1 kHz."""


def tiny_config() -> dict[str, Any]:
    """A copy of the config, to change at will."""
    return deepcopy(dict(CONFIG))


def write_tiny_model(folder: Path, config: Mapping[str, Any] = CONFIG, seed: int = 0) -> Path:
    """Writes ``model_config.json``, ``model.safetensors`` and the text encoder ``t5/``.

    Args:
        folder: Where to write; made where need be.
        config: A model config whose text encoder, if it has one, is called ``t5``.
        seed: Of the random weights.

    Returns:
        The folder.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    write_tiny_text_encoder(folder / "t5", seed=seed)
    path = folder / "model_config.json"
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")
    save_file(random_weights(config, folder, seed), folder / "model.safetensors")
    return folder


def random_weights(config: Mapping[str, Any], folder: Path, seed: int = 0) -> dict[str, Any]:
    """Every tensor of a model by its name in a checkpoint, random but well scaled.

    Args:
        config: The model config.
        folder: Where its relative paths are looked for.
        seed: Of the random numbers.
    """
    import torch

    from audiogen_core.models.build import build_model
    from audiogen_core.models.config import parse_model_config
    from audiogen_core.plugin_manager import installed_plugins

    model = build_model(parse_model_config(dict(config), "tiny model"), installed_plugins(), folder)
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{prefix}{name}": _random(name, tensor, generator)
        for prefix, module in model.modules().items()
        for name, tensor in module.state_dict().items()
    }


def _random(name: str, like: Any, generator: Any) -> Any:
    import torch

    shape = tuple(like.shape)
    if not like.is_floating_point():  # an index, say, which not every number can be
        return torch.zeros(shape, dtype=like.dtype)
    last = name.rpartition(".")[2]
    if last == "inv_freq":
        return 10000.0 ** -(torch.arange(shape[0]) / shape[0])
    if last in {"weight_g", "gamma"} or "norm.weight" in name:
        return torch.ones(shape)
    if last in {"beta", "alpha", "bias"}:
        return torch.zeros(shape)
    fan_in = math.prod(shape[1:]) or 1
    return torch.randn(shape, generator=generator) / math.sqrt(fan_in)


def write_tiny_text_encoder(
    folder: Path,
    *,
    dim: int = 64,
    d_kv: int = 16,
    d_ff: int = 128,
    layers: int = 2,
    heads: int = 4,
    vocabulary: int = 64,
    seed: int = 0,
) -> None:
    """Writes a T5 encoder with random weights and a tokenizer of a few dozen words.

    Args:
        folder: Where to write.
        dim: The size of its embeddings.
        d_kv: The size of an attention head.
        d_ff: The size of the feed-forward layers.
        layers: How many.
        heads: Of attention.
        vocabulary: How many tokens the encoder knows; more than the tokenizer uses.
        seed: Of the random weights.
    """
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    from audiogen_core.torchaudio_shim import import_torchaudio

    import_torchaudio()
    transformers: Any = importlib.import_module("transformers")

    special = ["<pad>", "</s>", "<unk>"]
    words = {word: index for index, word in enumerate([*special, *WORDS])}
    tokenizer: Any = Tokenizer(WordLevel(words, unk_token="<unk>"))  # noqa: S106
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", words["</s>"])]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    ).save_pretrained(folder)
    config = transformers.T5Config(
        vocab_size=vocabulary,
        d_model=dim,
        d_kv=d_kv,
        d_ff=d_ff,
        num_layers=layers,
        num_heads=heads,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = transformers.T5EncoderModel(config)
    logging = transformers.utils.logging
    logging.disable_progress_bar()
    encoder.save_pretrained(folder)
    logging.enable_progress_bar()


if __name__ == "__main__":
    write_tiny_model(Path(sys.argv[1]))
