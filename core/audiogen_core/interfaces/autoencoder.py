"""Autoencoders: the networks between audio and latents.

A complete third-party autoencoder::

    class Patches(Autoencoder):
        '''Cuts the audio into patches and puts each into the channels.'''

        NAME = "patches"

        class DecoderOptions(PluginOptions):
            out_channels: int
            patch_size: int

        EncoderOptions = DecoderOptions

        @classmethod
        def build_encoder(cls, options: PluginOptions) -> nn.Module:
            return Fold(options.patch_size)

        @classmethod
        def build_decoder(cls, options: PluginOptions) -> nn.Module:
            return Unfold(options.patch_size)

    @hookimpl
    def audiogen_autoencoders(register):
        register("patches", Patches)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from audiogen_core.options import PluginOptions


class AudioEncoder(nn.Module, ABC):
    """A network from audio to what the bottleneck takes that makes something of its weights.

    Attributes:
        ratio: Audio samples a latent, which the decoder must share; None where it is not told.
    """

    ratio: int | None = None

    def prepare(self) -> None:
        """Called once before audio is encoded: the place to fold or fuse the weights."""


class AudioDecoder(nn.Module, ABC):
    """The network from latents to audio.

    Attributes:
        reach: How many latents to each side the samples of one latent depend on. Long
            sequences are decoded in tiles that overlap by this much, with an equal result.
            None: they are decoded whole.
        tile: How many latents are decoded at a time: as many as leave memory enough.
        ratio: Audio samples a latent.
    """

    reach: int | None = None
    tile: int = 128
    ratio: int

    @abstractmethod
    def forward(self, latents: Tensor) -> Tensor:
        """``[batch, channels, latents]`` to ``[batch, audio channels, latents * ratio]``."""

    def prepare(self) -> None:
        """Called once after the weights are loaded: the place to fold or fuse them."""


class Autoencoder(ABC):
    """Builds the networks of one autoencoder architecture.

    Attributes:
        NAME: What ``encoder.type`` and ``decoder.type`` of a pretransform call it.
        EncoderOptions: The keys of the encoder's ``config``.
        DecoderOptions: The keys of the decoder's ``config``.
    """

    NAME: ClassVar[str]
    EncoderOptions: ClassVar[type[PluginOptions]]
    DecoderOptions: ClassVar[type[PluginOptions]]

    @classmethod
    @abstractmethod
    def build_encoder(cls, options: Any) -> nn.Module:
        """Makes the network from audio to what the bottleneck takes, without weights.

        Any module; an `AudioEncoder` is told when its weights are there.
        """

    @classmethod
    @abstractmethod
    def build_decoder(cls, options: Any) -> AudioDecoder:
        """Makes the network from latents to audio, without weights."""
