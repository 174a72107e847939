"""Uncompressed 16-bit WAV."""

from __future__ import annotations

from pathlib import Path

from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError, FloatArray
from audiogen_plugins.encoders import _av

MAX_BYTE_RATE = 2**32 - 1
"""The largest number of bytes a second that the header of a WAV file can state."""


class Wav(Encoder):
    """Uncompressed WAV, 16 bits a sample."""

    NAME = "wav"
    EXTENSION = ".wav"

    def check(self, sample_rate: int, channels: int) -> None:
        """Makes sure that the header of a WAV file can say this rate and these channels."""
        if not 1 <= channels <= len(_av.LAYOUTS):
            raise EncoderUnavailableError(
                f"'wav' cannot be written with {channels} channels: from 1 to 8 are possible."
            )
        highest = MAX_BYTE_RATE // (2 * channels)
        if not 1 <= sample_rate <= highest:
            raise EncoderUnavailableError(
                f"'wav' cannot be written at {sample_rate} Hz with {channels} channels: "
                f"from 1 to {highest} Hz are possible."
            )

    def encode(self, audio: FloatArray, sample_rate: int, path: Path) -> None:
        """Writes ``audio``, ``[channels, samples]``, rounded to 16 bits."""
        _av.write(audio, sample_rate, path, container="wav", codec="pcm_s16le", sample_format="s16")
