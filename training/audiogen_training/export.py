"""Writes the trained model in the ordinary format, with 16-bit weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from audiogen_training import autoencoder, diffusion, polish
from audiogen_training.diffusion import Encoded
from audiogen_training.lapped import rescale_latents
from audiogen_training.recipe import TEXT_ENCODER, Recipe
from audiogen_training.text import save_text_encoder


def export(recipe: Recipe, folder: Path, target: Path) -> None:
    """Writes ``model_config.json``, ``model.safetensors`` and the folder of the text encoder.

    Args:
        recipe: The sizes.
        folder: Where training left its checkpoints.
        target: Where to write the model.
    """
    networks = autoencoder.trained(recipe, folder, polish.STAGE)
    denoiser = diffusion.trained(recipe, folder)
    data = Encoded(*torch.load(folder / "examples.pt", map_location="cpu", weights_only=True))
    rescale_latents(networks.encoder, networks.decoder, data.scale[:, 0])
    parts = {
        "model.model.": denoiser.network,
        "conditioner.conditioners.seconds_start.": denoiser.start,
        "conditioner.conditioners.seconds_total.": denoiser.total,
        "pretransform.model.encoder.": networks.encoder,
        "pretransform.model.decoder.": networks.decoder,
    }
    tensors = {
        f"{prefix}{name}": tensor.half().contiguous()
        for prefix, module in parts.items()
        for name, tensor in module.state_dict().items()
    }
    config = recipe.model_config()
    target.mkdir(parents=True, exist_ok=True)
    (target / "model_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    save_file(tensors, target / "model.safetensors")
    save_text_encoder(denoiser.text.half(), target / TEXT_ENCODER)
