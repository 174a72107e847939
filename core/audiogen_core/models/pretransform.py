"""The pretransform: the autoencoder as generation uses it, decoding in exact tiles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from audiogen_core.interfaces.autoencoder import AudioDecoder, AudioEncoder
from audiogen_core.interfaces.bottleneck import Bottleneck
from audiogen_core.tiles import in_tiles


class Pretransform(nn.Module):
    """Latents to audio.

    Args:
        decoder: The network.
        bottleneck: What stands between latents and network, if anything.
        scale: What latents are multiplied with before decoding.
        soft_clip: Whether the audio goes through a tanh.
    """

    def __init__(
        self,
        *,
        decoder: AudioDecoder,
        bottleneck: Bottleneck | None = None,
        scale: float = 1.0,
        soft_clip: bool = False,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.encoder: nn.Module | None = None
        self._encoder_prepared = False
        self.bottleneck = bottleneck
        self.scale = scale
        self.soft_clip = soft_clip

    @torch.inference_mode()
    def encode(self, audio: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Audio ``[batch, audio channels, samples]`` to float32 ``[batch, channels, latents]``.

        Args:
            audio: Some multiple of the ratio of samples.
            generators: One a sample, for what the bottleneck draws.

        Raises:
            RuntimeError: The encoder's weights were not loaded.
        """
        if self.encoder is None:
            raise RuntimeError("the encoder is not loaded")
        if not self._encoder_prepared and isinstance(self.encoder, AudioEncoder):
            self.encoder.prepare()  # not before it is needed: it takes time and memory
            self._encoder_prepared = True
        dtype = _type_of(self.encoder)
        parts = []
        for one, generator in zip(audio, generators, strict=True):
            latents = self.encoder(one[None].to(dtype)).float()
            if self.bottleneck is not None:
                latents = self.bottleneck.encode(latents.to(_type_of(self.bottleneck)), generator)
                latents = latents.float()
            parts.append(latents / self.scale)
        return torch.cat(parts)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """``[batch, channels, latents]`` to float32 audio ``[batch, audio channels, samples]``."""
        latents = (latents * self.scale).to(_type_of(self.decoder))
        if self.bottleneck is not None:
            latents = self.bottleneck.decode(latents)
        audio = self._tiled(latents)
        return torch.tanh(audio) if self.soft_clip else audio

    def _tiled(self, latents: Tensor) -> Tensor:
        decoder = self.decoder
        if decoder.reach is None:
            return self._decoded(latents)
        return in_tiles(
            self._decoded, latents, tile=decoder.tile, reach=decoder.reach, ratio=decoder.ratio
        )

    def _decoded(self, latents: Tensor) -> Tensor:
        audio: Tensor = self.decoder(latents)
        return audio.float()


def _type_of(network: nn.Module) -> torch.dtype:
    """The type of a network's weights; float32 where it has none, as those that only reorder."""
    return next((one.dtype for one in network.parameters()), torch.float32)
