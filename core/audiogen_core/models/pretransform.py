"""The pretransform: the autoencoder as generation uses it, decoding in exact tiles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audiogen_core.interfaces.autoencoder import AudioDecoder
from audiogen_core.interfaces.bottleneck import Bottleneck

TILE = 128
"""Latents a tile. Longer tiles take more memory, shorter ones decode more twice."""


class Pretransform(nn.Module):
    """Latents to audio.

    Args:
        decoder: The network.
        bottleneck: What stands between latents and network, if anything.
        scale: What latents are multiplied with before decoding.
        iterate_batch: Whether samples are decoded one by one, which takes less memory.
        soft_clip: Whether the audio goes through a tanh.
    """

    def __init__(
        self,
        *,
        decoder: AudioDecoder,
        bottleneck: Bottleneck | None = None,
        scale: float = 1.0,
        iterate_batch: bool = False,
        soft_clip: bool = False,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.bottleneck = bottleneck
        self.scale = scale
        self.iterate_batch = iterate_batch
        self.soft_clip = soft_clip

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """``[batch, channels, latents]`` to float32 audio ``[batch, audio channels, samples]``."""
        latents = (latents * self.scale).to(next(self.decoder.parameters()).dtype)
        if self.bottleneck is not None:
            latents = self.bottleneck.decode(latents)
        parts = torch.split(latents, 1) if self.iterate_batch else (latents,)
        audio = torch.cat([self._tiled(part) for part in parts])
        return torch.tanh(audio) if self.soft_clip else audio

    def _tiled(self, latents: Tensor) -> Tensor:
        """Decodes tile by tile: each with its neighbourhood, of which nothing is kept.

        A tile sees every latent that its samples depend on, so the result is that of the whole
        decode, while the activations of one tile are all that memory has to hold.
        """
        length, ratio, reach = latents.shape[-1], self.decoder.ratio, self.decoder.reach
        if reach is None or length <= TILE + 2 * reach:
            return self._decoded(latents)
        tiles = []
        for start in range(0, length, TILE):
            end = min(start + TILE, length)
            left, right = max(start - reach, 0), min(end + reach, length)
            audio = self._decoded(latents[..., left:right])
            tiles.append(audio[..., (start - left) * ratio : (end - left) * ratio])
        return torch.cat(tiles, dim=-1)

    def _decoded(self, latents: Tensor) -> Tensor:
        audio: Tensor = self.decoder(latents)
        return audio.float()
