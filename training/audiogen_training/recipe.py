"""The recipe of the default model: every size, rate and number of steps in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

MOST_SECONDS = 512
"""The largest number that may be asked for, as with the public models: beyond any sound here."""

TEXT_ENCODER = "audiogen_text_encoder"
"""The folder of the text encoder: relative names are tried in the working directory first."""


@dataclass(frozen=True)
class Recipe:
    """What is trained, and how long.

    Attributes:
        sample_rate: In hertz.
        seconds: The model's full length.
        channels: Channels of the autoencoder's first block.
        c_mults: Multiples of it, a block each.
        strides: Downsampling factors, a block each.
        latent_dim: Channels of the latents.
        patch_size: How many latents make one token of the transformer.
        embed_dim: Channels of the transformer.
        depth: Its blocks.
        ff_mult: The width of its feed-forward networks, in multiples of its channels.
        num_heads: Its attention heads.
        cond_dim: Channels of the text encoder and of all conditioning.
        text_layers: Blocks of the text encoder.
        max_tokens: Length of a caption in tokens.
        sounds: How many sounds the autoencoder sees.
        autoencoder_steps: Of training the autoencoder.
        autoencoder_batch: Crops a step.
        crop_latents: The length of a crop.
        understanding_steps: Of the text encoder alone, on captions without sounds.
        examples: How many examples are rendered and encoded for the second stage.
        diffusion_steps: Of training the text encoder and the transformer.
        finish_from: The first of those that see earlier times, with rates that fall once more.
        finish_rate: The share of the rates that these begin with.
        diffusion_batch: Examples a step that sees the full length; more where it sees less.
        polish_sounds: How many sounds the transformer makes anew for the decoder.
        polish_steps: Of training the decoder on them.
        drop_caption: How often a caption is left out, for guidance.
        compiled: Whether a CPU runs the decoder compiled, which needs a C++ compiler.
        seed: Of everything that is drawn.
    """

    sample_rate: int = 44100
    seconds: float = 4.1
    channels: int = 8
    c_mults: tuple[int, ...] = (8, 16, 24)
    strides: tuple[int, ...] = (16, 8, 8)
    latent_dim: int = 80
    patch_size: int = 2
    embed_dim: int = 256
    depth: int = 7
    ff_mult: int = 3
    num_heads: int = 4
    cond_dim: int = 128
    text_layers: int = 3
    max_tokens: int = 32
    sounds: int = 12_000
    autoencoder_steps: int = 8_000
    autoencoder_batch: int = 128
    crop_latents: int = 20
    understanding_steps: int = 3_000
    examples: int = 60_000
    diffusion_steps: int = 16_000
    finish_from: int = 8_000
    finish_rate: float = 0.7
    diffusion_batch: int = 256
    polish_sounds: int = 6_000
    polish_steps: int = 2_000
    drop_caption: float = 0.1
    compiled: bool = True
    seed: int = 0

    @property
    def ratio(self) -> int:
        """Audio samples a latent."""
        product = 1
        for stride in self.strides:
            product *= stride
        return product

    @property
    def latents(self) -> int:
        """The length of the latents at full length."""
        tokens = round(self.seconds * self.sample_rate / self.ratio / self.patch_size)
        return tokens * self.patch_size

    @property
    def samples(self) -> int:
        """The length of the audio at full length."""
        return self.latents * self.ratio

    def model_config(self) -> dict[str, Any]:
        """The ``model_config.json`` of what this recipe makes."""
        network = {
            "channels": self.channels,
            "c_mults": list(self.c_mults),
            "strides": list(self.strides),
            "use_snake": True,
        }
        seconds = {"min_val": 0, "max_val": MOST_SECONDS}
        return {
            "model_type": "diffusion_cond",
            "sample_size": self.samples,
            "sample_rate": self.sample_rate,
            "audio_channels": 1,
            "model": {
                "pretransform": {
                    "type": "autoencoder",
                    "iterate_batch": True,
                    "config": {
                        "encoder": {
                            "type": "oobleck",
                            "requires_grad": False,
                            "config": {
                                "in_channels": 1,
                                "latent_dim": 2 * self.latent_dim,
                                **network,
                            },
                        },
                        "decoder": {
                            "type": "oobleck",
                            "config": {
                                "out_channels": 1,
                                "latent_dim": self.latent_dim,
                                "final_tanh": False,
                                **network,
                            },
                        },
                        "bottleneck": {"type": "vae"},
                        "latent_dim": self.latent_dim,
                        "downsampling_ratio": self.ratio,
                        "io_channels": 1,
                    },
                },
                "conditioning": {
                    "configs": [
                        {
                            "id": "prompt",
                            "type": "t5",
                            "config": {
                                "t5_model_name": TEXT_ENCODER,
                                "max_length": self.max_tokens,
                            },
                        },
                        {"id": "seconds_start", "type": "number", "config": seconds},
                        {"id": "seconds_total", "type": "number", "config": seconds},
                    ],
                    "cond_dim": self.cond_dim,
                },
                "diffusion": {
                    "cross_attention_cond_ids": ["prompt", "seconds_start", "seconds_total"],
                    "global_cond_ids": ["seconds_start", "seconds_total"],
                    "diffusion_objective": "rectified_flow",
                    "type": "dit",
                    "config": {
                        "io_channels": self.latent_dim,
                        "patch_size": self.patch_size,
                        "embed_dim": self.embed_dim,
                        "depth": self.depth,
                        "num_heads": self.num_heads,
                        "cond_token_dim": self.cond_dim,
                        "global_cond_dim": 2 * self.cond_dim,
                        "project_cond_tokens": True,
                        "transformer_type": "continuous_transformer",
                        "global_cond_type": "adaLN",
                        "attn_kwargs": {"qk_norm": "ln"},
                        "ff_kwargs": {"mult": self.ff_mult},
                    },
                },
                "io_channels": self.latent_dim,
            },
        }


FULL = Recipe()
"""For a GPU, in minutes."""

SMALL = replace(
    FULL,
    sounds=4_000,
    autoencoder_steps=3_300,
    autoencoder_batch=6,
    understanding_steps=800,
    examples=20_000,
    diffusion_steps=11_000,
    finish_from=7_000,
    finish_rate=0.4,
    diffusion_batch=40,
    polish_sounds=1_600,
    polish_steps=8_000,
)
"""For one CPU core, overnight."""

TRIAL = replace(
    SMALL,
    seconds=0.8,
    channels=2,
    c_mults=(2, 4, 4),
    latent_dim=8,
    embed_dim=64,
    depth=1,
    num_heads=1,
    cond_dim=64,
    text_layers=1,
    sounds=8,
    autoencoder_steps=4,
    compiled=False,
    autoencoder_batch=2,
    crop_latents=4,
    understanding_steps=4,
    examples=8,
    diffusion_steps=4,
    finish_from=2,
    diffusion_batch=4,
    polish_sounds=4,
    polish_steps=4,
)
"""For tests, in seconds: it learns nothing."""

RECIPES = {"full": FULL, "small": SMALL, "trial": TRIAL}
