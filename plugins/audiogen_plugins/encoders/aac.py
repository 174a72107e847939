"""M4A with AAC-LC (ISO/IEC 14496-3), through FFmpeg's own encoder.

The bit rate is an average, and lower for sounds that need less.

The file says where the audio begins, so that players start with its first sample. Up to 1,023
samples of silence may follow the last one in players that, like FFmpeg, do not cut the last frame
where the file says that it ends.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import Tags
from audiogen_plugins.encoders import _av, _m4a, _proof

SAMPLE_RATES = (
    7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000
)  # fmt: skip
"""Those of AAC, in hertz."""

FRAME = 1024
"""Samples in a frame."""

MAX_FRAME_BITS = 6144
"""The most bits that a frame may have for each channel."""


class Aac192(Encoder):
    """M4A, AAC-LC, about 192 kb/s."""

    NAME = "m4a aac 192k"
    EXTENSION = ".m4a"
    BIT_RATE: ClassVar[int] = 192_000

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """How close AAC comes at its lowest bit rate; FFmpeg keeps the padding."""
        return {"min_snr_db": 12, "duration_tolerance": FRAME - 1}

    def check(self, sample_rate: int, channels: int) -> None:
        """Encodes one second and reads it back."""
        _prove(self.NAME, self.BIT_RATE, sample_rate, channels)

    def expected_bytes(self, samples: int, sample_rate: int, channels: int) -> int:
        """By the bit rate."""
        del channels
        return round(samples / sample_rate * self.BIT_RATE / 8)

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes ``audio``, ``[channels, samples]``."""
        _write(audio, sample_rate, path, self.BIT_RATE, tags)


class Aac96(Aac192):
    """M4A, AAC-LC, about 96 kb/s."""

    NAME = "m4a aac 96k"
    BIT_RATE = 96_000


class Aac128(Aac192):
    """M4A, AAC-LC, about 128 kb/s."""

    NAME = "m4a aac 128k"
    BIT_RATE = 128_000


class Aac256(Aac192):
    """M4A, AAC-LC, about 256 kb/s."""

    NAME = "m4a aac 256k"
    BIT_RATE = 256_000


def _write(audio: FloatArray, sample_rate: int, path: Path, bit_rate: int, tags: Tags) -> None:
    _av.write(
        audio,
        sample_rate,
        path,
        container="ipod",
        codec="aac",
        sample_format="fltp",
        bit_rate=bit_rate,
        container_options={_m4a.TIMESCALE: str(sample_rate)},
    )
    _m4a.tag(path, tags)


@cache
def _prove(name: str, bit_rate: int, sample_rate: int, channels: int) -> None:
    """Raises `EncoderUnavailableError` unless a second of audio comes out as it should."""
    _proof.check_mono_or_stereo(name, "AAC here", channels)
    if sample_rate not in SAMPLE_RATES:
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz: "
            f"AAC has only {_proof.hertz(SAMPLE_RATES)}; use 'wav' or 'flac'."
        )
    # Asked for more, FFmpeg writes less without a word.
    highest = MAX_FRAME_BITS * channels * sample_rate // FRAME
    if bit_rate > highest:
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz with {channels} "
            f"channel{'s' * (channels != 1)}: AAC reaches {highest // 1000} kb/s there; "
            "use 'wav' or 'flac'."
        )
    _proof.prove(
        name,
        _proof.Wanted("aac", "aac", sample_rate, channels, padding=FRAME - 1),
        sample_rate,
        lambda audio, path: _write(audio, sample_rate, path, bit_rate, Tags()),
    )
