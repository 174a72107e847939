"""Joins the embeddings of a model's conditioners into the inputs of its backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiogen_core.embedding_file import read_floats
from audiogen_core.interfaces.backbone import BackboneInputs
from audiogen_core.interfaces.conditioner import Conditioner, Embedding
from audiogen_core.models.config import (
    INPAINT_INPUT,
    INPAINT_MASK,
    DiffusionSection,
    ModelConfig,
)


def value_for(values: Mapping[str, Any], conditioner_id: str, config: ModelConfig) -> Any:
    """A conditioner's value: its own, or that of its default key; None where there is none."""
    value = values.get(conditioner_id)
    if value is None and conditioner_id in config.default_keys:
        value = values.get(config.default_keys[conditioner_id])
    return value


def embed(
    samples: Sequence[Mapping[str, Any]],
    conditioners: Mapping[str, Conditioner],
    config: ModelConfig,
    generators: Sequence[torch.Generator],
    device: torch.device,
) -> dict[str, Embedding]:
    """Embeds a batch of samples, by conditioner id."""
    embeddings = {}
    for key, conditioner in conditioners.items():
        values = [value_for(sample, key, config) for sample in samples]
        if key in config.pre_encoded_keys:
            embeddings[key] = _load_embeddings(values, device)
        else:
            made = conditioner(values, generators)
            # One that only reads what it is given may leave it where it has read it.
            embeddings[key] = Embedding(made.tokens.to(device), made.mask.to(device))
    return embeddings


def _load_embeddings(paths: Sequence[str], device: torch.device) -> Embedding:
    tokens = torch.from_numpy(np.stack([read_floats(path) for path in paths])).to(device)
    return Embedding(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=device))


def backbone_inputs(
    embeddings: Mapping[str, Embedding], section: DiffusionSection
) -> BackboneInputs:
    """Joins cross-attention and prepended tokens along the sequence, the others by channel."""

    def tokens(ids: Sequence[str]) -> list[Tensor]:
        return [_as_tokens(embeddings[key]).tokens for key in ids]

    def joined(parts: list[Tensor], dim: int) -> Tensor | None:
        return torch.cat([part.float() for part in parts], dim) if parts else None

    embedding = joined(tokens(section.global_cond_ids), -1)
    return BackboneInputs(
        cross_attention=joined(tokens(section.cross_attention_cond_ids), 1),
        global_embedding=None if embedding is None else embedding.squeeze(1),
        prepend=joined(tokens(section.prepend_cond_ids), 1),
        input_concat=joined([embeddings[key].tokens for key in section.input_concat_ids], 1),
    )


def inpainting_inputs(latents: Tensor, kept: Tensor) -> dict[str, Embedding]:
    """What a model is given that fills in recordings, by the ids that it calls it by.

    Args:
        latents: Of the recordings, ``[batch, channels, latents]``.
        kept: 1 where they are kept and 0 where they are made anew, ``[batch, latents]``.
    """
    mask = kept[:, None].to(latents)
    every = torch.ones(latents.shape[0], latents.shape[2], device=latents.device)
    return {
        INPAINT_MASK: Embedding(mask, every),
        INPAINT_INPUT: Embedding(latents * mask, every),
    }


def negative_tokens(embeddings: Mapping[str, Embedding], section: DiffusionSection) -> Tensor:
    """The cross-attention tokens of negative prompts, masked positions set to zero."""
    parts = [_as_tokens(embeddings[key]) for key in section.cross_attention_cond_ids]
    joined = torch.cat([part.tokens.float() for part in parts], 1)
    mask = torch.cat([part.mask.to(joined.device, torch.bool) for part in parts], 1)
    return joined.where(mask[..., None], 0.0)


def _as_tokens(embedding: Embedding) -> Embedding:
    """Gives a single vector a sample the sequence dimension that it lacks."""
    tokens, mask = embedding
    return Embedding(tokens[:, None], mask[:, :1]) if tokens.dim() == 2 else embedding
