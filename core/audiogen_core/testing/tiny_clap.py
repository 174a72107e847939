"""A tiny CLAP with random weights, for tests of what embeds audio."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from safetensors.torch import save_model

from audiogen_core.torchaudio_shim import import_torchaudio


def write_tiny_clap(folder: Path, dim: int = 3) -> Path:
    """Writes a CLAP of transformers that takes a second of audio at 16 kHz.

    Args:
        folder: Where; it is made.
        dim: The width of its embeddings.

    Returns:
        The folder.
    """
    import_torchaudio()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import (
            ClapAudioConfig,
            ClapConfig,
            ClapFeatureExtractor,
            ClapModel,
            ClapTextConfig,
        )

        audio = ClapAudioConfig(
            num_mel_bins=16, window_size=4, spec_size=64, patch_size=4, patch_stride=[4, 4],
            patch_embeds_hidden_size=8, depths=[1, 1], num_attention_heads=[1, 1], hidden_size=16,
            num_hidden_layers=2, projection_dim=dim,
        )  # fmt: skip
        text = ClapTextConfig(
            vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
            intermediate_size=8, max_position_embeddings=8, projection_dim=dim,
        )  # fmt: skip
        config = ClapConfig(
            text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=dim
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = ClapModel(config)
        # Not by transformers, which would show how it goes.
        config.save_pretrained(folder)
        save_model(model, str(folder / "model.safetensors"), metadata={"format": "pt"})
        extractor = ClapFeatureExtractor(
            feature_size=16, sampling_rate=16000, hop_length=160, max_length_s=1,
            fft_window_size=512, frequency_max=8000, truncation="rand_trunc",
        )  # fmt: skip
        extractor.save_pretrained(folder)
    return folder
