"""Lossless compression with FLAC: 16 and 24 bits a sample."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import Tags
from audiogen_plugins._ffmpeg import LAYOUTS
from audiogen_plugins.encoders import _av

MAX_SAMPLE_RATE = 2**20 - 1
"""In hertz: the header has 20 bits for it (RFC 9639, section 8.2)."""

RATIO = 0.6
"""What is left of music; of noise nearly all, of simple tones a third."""


class Flac(Encoder):
    """FLAC lossless compression, 16 bits a sample."""

    NAME = "flac"
    EXTENSION = ".flac"
    SAMPLE_FORMAT: ClassVar[_av.SampleFormat] = "s16"
    SAMPLE_BYTES: ClassVar[int] = 2

    def check(self, sample_rate: int, channels: int) -> None:
        """Makes sure that FLAC has room for this rate and these channels."""
        if not 1 <= channels <= len(LAYOUTS):
            raise EncoderUnavailableError(
                f"'{self.NAME}' cannot be written with {channels} channels: "
                f"FLAC holds from 1 to 8 channels."
            )
        if not 1 <= sample_rate <= MAX_SAMPLE_RATE:
            raise EncoderUnavailableError(
                f"'{self.NAME}' cannot be written at {sample_rate} Hz: "
                f"FLAC reaches from 1 to {MAX_SAMPLE_RATE} Hz; use 'wav'."
            )

    def expected_bytes(self, samples: int, sample_rate: int, channels: int) -> int:
        """`RATIO` of what the samples take uncompressed."""
        del sample_rate
        return round(samples * channels * self.SAMPLE_BYTES * RATIO)

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes ``audio``, ``[channels, samples]``, rounded to the bits of the format."""
        _av.write(
            audio,
            sample_rate,
            path,
            container="flac",
            codec="flac",
            sample_format=self.SAMPLE_FORMAT,
            tags=tags,
        )


class Flac24(Flac):
    """FLAC lossless compression, 24 bits a sample."""

    NAME = "flac 24"
    SAMPLE_FORMAT = "s32"
    SAMPLE_BYTES = 3
