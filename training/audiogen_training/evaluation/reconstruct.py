"""What the autoencoder alone leaves of a sound."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiogen_core.models.checkpoint import open_checkpoint
from audiogen_core.models.model import AUTOENCODER, Model
from audiogen_training.losses import spectral_distance
from audiogen_training.sounds.dsp import Signal


class Reconstructor:
    """Encodes and decodes with a model's autoencoder.

    Args:
        model: Loaded; its encoder still lacks its weights, because generation needs none.
        checkpoint: The model's.
    """

    def __init__(self, model: Model, checkpoint: Path) -> None:
        if model.encoder is None or model.pretransform is None:
            raise ValueError("the model has no autoencoder")
        self._model = model
        self._bottleneck = model.pretransform.bottleneck
        self._scale = model.pretransform.scale
        source = open_checkpoint(checkpoint)
        prefix = f"{AUTOENCODER}encoder."
        weights = {
            name.removeprefix(prefix): source.tensor(name).float().to(model.device)
            for name in source.shapes()
            if name.startswith(prefix)
        }
        model.encoder.load_state_dict(weights, assign=True)
        self._encoder = model.encoder.eval()

    @torch.inference_mode()
    def __call__(self, sound: Signal) -> Signal:
        """The reconstruction of a sound from the means of its latents, float32 `[samples]` both."""
        length = self._model.config.samples
        audio = torch.zeros(1, self._model.config.channels, max(length, len(sound)))
        audio[..., : len(sound)] = torch.from_numpy(sound)
        ratio = self._model.config.samples // self._model.config.latents
        audio = torch.nn.functional.pad(audio, (0, -audio.shape[2] % ratio))
        latents: Tensor = self._encoder(audio.to(self._model.device))
        if self._bottleneck is not None:
            latents = self._bottleneck.encode(latents, None)
        made = self._model.decode(latents / self._scale)[0].mean(0)
        return made[: len(sound)].cpu().numpy().astype(np.float32)


def figures(
    kinds: Sequence[str], sounds: Sequence[Signal], made: Sequence[Signal]
) -> dict[str, dict[str, Any]]:
    """The mean spectral distance and signal-to-noise ratio in decibels by kind, and of all."""
    distances, ratios = defaultdict(list), defaultdict(list)
    for kind, sound, one in zip(kinds, sounds, made, strict=True):
        a, b = torch.from_numpy(one), torch.from_numpy(sound)
        noise = float((a - b).square().sum()) + 1e-12
        for key in (kind, "all"):
            distances[key].append(float(spectral_distance(a[None, None], b[None, None])))
            ratios[key].append(10 * np.log10(float(b.square().sum()) / noise))
    return {
        "spectral_distance": {
            key: round(float(np.mean(of)), 4) for key, of in sorted(distances.items())
        },
        "snr_db": {key: round(float(np.mean(of)), 2) for key, of in sorted(ratios.items())},
    }
