"""The autoencoder: one convolution down, and one up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from audiogen_core.interfaces.autoencoder import AudioDecoder, Autoencoder
from audiogen_core.options import PluginOptions


class PatchOptions(PluginOptions):
    """The keys of ``config``, for both networks."""

    audio_channels: int = Field(2, gt=0, description="Channels of the audio.")
    latent_channels: int = Field(64, gt=0, description="Channels of the latents.")
    ratio: int = Field(512, gt=0, description="Audio samples a latent.")


class PatchDecoder(AudioDecoder):
    """Each latent becomes a patch of audio."""

    reach = 0

    def __init__(self, options: PatchOptions) -> None:
        super().__init__()
        self.ratio = options.ratio
        self.patch = nn.ConvTranspose1d(
            options.latent_channels, options.audio_channels, options.ratio, stride=options.ratio
        )

    def forward(self, latents: Tensor) -> Tensor:
        """``[batch, channels, latents]`` to ``[batch, audio channels, latents * ratio]``."""
        audio: Tensor = self.patch(latents)
        return audio


class MyPlugin(Autoencoder):
    """Cuts the audio into patches and projects each into one latent."""

    NAME = "my-plugin"
    EncoderOptions = PatchOptions
    DecoderOptions = PatchOptions

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """Small networks that fit each other."""
        options = {"latent_channels": 4, "ratio": 8}
        return {"encoder": options, "decoder": options, "latent_channels": 4}

    @classmethod
    def build_encoder(cls, options: PatchOptions) -> nn.Module:
        """Makes the network from audio to latents."""
        return nn.Conv1d(
            options.audio_channels, options.latent_channels, options.ratio, stride=options.ratio
        )

    @classmethod
    def build_decoder(cls, options: PatchOptions) -> AudioDecoder:
        """Makes the network from latents to audio."""
        return PatchDecoder(options)
