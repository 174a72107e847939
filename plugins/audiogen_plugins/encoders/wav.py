"""Uncompressed WAV: 16-bit and 24-bit integers, and 32-bit floats."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import Tags
from audiogen_plugins._ffmpeg import LAYOUTS
from audiogen_plugins.encoders import _av

MAX_BYTE_RATE = 2**32 - 1
"""The largest number of bytes a second that the header of a WAV file can state."""

HEADER_BYTES = 1500
"""Of a file, with the tags of a short prompt."""


class Wav(Encoder):
    """Uncompressed WAV, 16 bits a sample."""

    NAME = "wav"
    EXTENSION = ".wav"
    CODEC: ClassVar[str] = "pcm_s16le"
    SAMPLE_FORMAT: ClassVar[_av.SampleFormat] = "s16"
    SAMPLE_BYTES: ClassVar[int] = 2

    def check(self, sample_rate: int, channels: int) -> None:
        """Makes sure that the header of a WAV file can say this rate and these channels."""
        if not 1 <= channels <= len(LAYOUTS):
            raise EncoderUnavailableError(
                f"'{self.NAME}' cannot be written with {channels} channels: "
                "from 1 to 8 are possible."
            )
        highest = MAX_BYTE_RATE // (self.SAMPLE_BYTES * channels)
        if not 1 <= sample_rate <= highest:
            raise EncoderUnavailableError(
                f"'{self.NAME}' cannot be written at {sample_rate} Hz with {channels} channels: "
                f"from 1 to {highest} Hz are possible."
            )

    def expected_bytes(self, samples: int, sample_rate: int, channels: int) -> int:
        """The samples, and a header with the tags."""
        del sample_rate
        return samples * channels * self.SAMPLE_BYTES + HEADER_BYTES

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes ``audio``, ``[channels, samples]``."""
        _av.write(
            audio,
            sample_rate,
            path,
            container="wav",
            codec=self.CODEC,
            sample_format=self.SAMPLE_FORMAT,
            tags=tags,
        )


class Wav24(Wav):
    """Uncompressed WAV, 24 bits a sample."""

    NAME = "wav 24"
    CODEC = "pcm_s24le"
    SAMPLE_FORMAT = "s32"
    SAMPLE_BYTES = 3


class WavFloat(Wav):
    """Uncompressed WAV, 32-bit floats: nothing is rounded to whole numbers."""

    NAME = "wav float"
    CODEC = "pcm_f32le"
    SAMPLE_FORMAT = "flt"
    SAMPLE_BYTES = 4
