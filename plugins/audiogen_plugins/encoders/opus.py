"""Opus (RFC 6716) in Ogg (RFC 7845), at four bit rates around which it varies with the sound.

Opus runs at 48 kHz: audio of another rate is resampled, and the file's rate is 48 kHz. The header
says how many samples a player has to leave out at the start, and the last page where the audio
ends: what is decoded is as long as what went in.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import Tags
from audiogen_plugins.encoders import _av, _proof
from audiogen_plugins.encoders._resample import resampled

SAMPLE_RATE = 48000
"""Of every file, in hertz."""

SAMPLE_RATES = (8000, 192_000)
"""The lowest and the highest rate in hertz that is resampled."""


class Opus128(Encoder):
    """Ogg Opus at about 128 kb/s."""

    NAME = "ogg opus 128k"
    EXTENSION = ".ogg"
    BIT_RATE: ClassVar[int] = 128_000

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """The rate that Opus runs at."""
        return {"sample_rate": SAMPLE_RATE}

    def check(self, sample_rate: int, channels: int) -> None:
        """Encodes one second and reads it back."""
        _prove(self.NAME, self.BIT_RATE, sample_rate, channels)

    def expected_bytes(self, samples: int, sample_rate: int, channels: int) -> int:
        """By the bit rate."""
        del channels
        return round(samples / sample_rate * self.BIT_RATE / 8)

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes ``audio``, ``[channels, samples]``, at 48 kHz."""
        _write(audio, sample_rate, path, self.BIT_RATE, tags)


class Opus64(Opus128):
    """Ogg Opus at about 64 kb/s."""

    NAME = "ogg opus 64k"
    BIT_RATE = 64_000


class Opus96(Opus128):
    """Ogg Opus at about 96 kb/s."""

    NAME = "ogg opus 96k"
    BIT_RATE = 96_000


class Opus192(Opus128):
    """Ogg Opus at about 192 kb/s."""

    NAME = "ogg opus 192k"
    BIT_RATE = 192_000


def _write(audio: FloatArray, sample_rate: int, path: Path, bit_rate: int, tags: Tags) -> None:
    if not audio.size:
        raise ValueError("audio holds no samples")
    _av.write(
        resampled(audio, sample_rate, SAMPLE_RATE),
        SAMPLE_RATE,
        path,
        container="ogg",
        codec="libopus",
        sample_format="flt",
        tags=tags,
        bit_rate=bit_rate,
    )


@cache
def _prove(name: str, bit_rate: int, sample_rate: int, channels: int) -> None:
    """Raises `EncoderUnavailableError` unless a second of audio comes out as it should."""
    _proof.check_mono_or_stereo(name, "Opus", channels)
    lowest, highest = SAMPLE_RATES
    if not lowest <= sample_rate <= highest:
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz: from {lowest} to {highest} Hz are "
            "possible; use 'wav' or 'flac'."
        )
    _proof.prove(
        name,
        _proof.Wanted("opus", "libopus", SAMPLE_RATE, channels),
        sample_rate,
        lambda audio, path: _write(audio, sample_rate, path, bit_rate, Tags()),
    )
