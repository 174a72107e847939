"""Recordings as latents: what a batch varies, and what it fills in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiogen_core.audio_file import read_beginning
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.interfaces.conditioner import Embedding
from audiogen_core.models.conditioning import inpainting_inputs
from audiogen_core.models.model import Model
from audiogen_core.recordings import INIT_AUDIO, INPAINT_AUDIO, MASK, kept


def encoded(
    model: Model, samples: Sequence[Mapping[str, Any]], noise: NoiseSource
) -> tuple[Tensor | None, dict[str, Embedding]]:
    """The recordings of a batch.

    What an autoencoder draws comes after the start of sampling, first for `INIT_AUDIO`, as in the
    reference implementation.

    Args:
        model: The model, its encoder loaded where there are recordings.
        samples: The conditioning values of each sample. All vary a recording, or none does.
        noise: The batch's noise.

    Returns:
        The latents that are varied, ``[batch, channels, latents]``, or None; and by id what a model
        that inpaints is given.

    Raises:
        ValueError: A recording cannot be read any more.
    """
    shape = noise.start.shape
    clean = None
    if any(values.get(INIT_AUDIO) is not None for values in samples):
        clean = _latents(model, samples, INIT_AUDIO, noise)
    if not model.config.inpaints:
        return clean, {}
    keep = torch.zeros(shape[0], shape[2], device=model.device)
    for row, values in zip(keep, samples, strict=True):
        if values.get(INPAINT_AUDIO) is not None:
            row[:] = torch.tensor(kept(values[MASK], model.config, shape[2]))
    return clean, inpainting_inputs(_latents(model, samples, INPAINT_AUDIO, noise), keep)


def _latents(
    model: Model, samples: Sequence[Mapping[str, Any]], key: str, noise: NoiseSource
) -> Tensor:
    """The latents of the samples' recordings; zeros for those without one."""
    found = torch.zeros_like(noise.start)
    length = noise.start.shape[2] * model.config.ratio
    for row, values in enumerate(samples):
        if (path := values.get(key)) is None:
            continue
        try:
            audio = read_beginning(
                Path(path), model.config.sample_rate, model.config.channels, length
            )
        except ValueError as error:
            raise ValueError(f"{key}: file '{path}' {error}") from None
        batch = torch.from_numpy(np.ascontiguousarray(audio))[None]
        found[row] = model.encode(batch, noise.generators[row : row + 1])[0]
    return found
