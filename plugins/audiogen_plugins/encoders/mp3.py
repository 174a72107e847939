"""MP3 with LAME: the best variable bit rate, and two constant ones.

MP3 knows nine sample rates, and the slower ones stop at a lower bit rate. LAME does not say so:
asked for 320 kb/s at 24 kHz it writes 160. So the limits are stated here, and one second is
encoded and read back to prove them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import Tags
from audiogen_plugins.encoders import _av, _proof

HIGHEST_BIT_RATES = {
    8000: 64_000,
    11025: 64_000,
    12000: 64_000,
    16000: 160_000,
    22050: 160_000,
    24000: 160_000,
    32000: 320_000,
    44100: 320_000,
    48000: 320_000,
}
"""For each sample rate of MP3 in hertz, the highest bit rate that LAME writes, in bits a second.

By MPEG version: 1 from 32 kHz, 2 from 16 kHz, and 2.5, where LAME stays below the 160 kb/s that
the table of the format would allow.
"""

TYPICAL_V0 = 120_000
"""Bits a second for each channel, on average over music."""


class Mp3V0(Encoder):
    """MP3, variable bit rate, highest quality."""

    NAME = "mp3 v0"
    EXTENSION = ".mp3"
    BIT_RATE: ClassVar[int | None] = None

    def check(self, sample_rate: int, channels: int) -> None:
        """Encodes one second and reads it back."""
        _prove(self.NAME, self.BIT_RATE, sample_rate, channels)

    def expected_bytes(self, samples: int, sample_rate: int, channels: int) -> int:
        """By the bit rate: a typical one where it varies."""
        bit_rate = self.BIT_RATE or TYPICAL_V0 * channels
        return round(samples / sample_rate * bit_rate / 8)

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes ``audio``, ``[channels, samples]``."""
        _write(audio, sample_rate, path, self.BIT_RATE, tags)


class Mp3Cbr320(Mp3V0):
    """MP3, constant 320 kb/s."""

    NAME = "mp3 320k"
    BIT_RATE = 320_000


class Mp3Cbr128(Mp3V0):
    """MP3, constant 128 kb/s."""

    NAME = "mp3 128k"
    BIT_RATE = 128_000


def _write(
    audio: FloatArray, sample_rate: int, path: Path, bit_rate: int | None, tags: Tags
) -> None:
    """Writes at ``bit_rate`` bits a second, or as V0 when there is none."""
    _av.write(
        audio,
        sample_rate,
        path,
        container="mp3",
        codec="libmp3lame",
        sample_format="fltp",
        tags=tags,
        bit_rate=bit_rate,
        best_vbr=bit_rate is None,
    )


@cache
def _prove(name: str, bit_rate: int | None, sample_rate: int, channels: int) -> None:
    """Raises `EncoderUnavailableError` unless a second of audio comes out as it should."""
    _proof.check_mono_or_stereo(name, "MP3", channels)
    if sample_rate not in HIGHEST_BIT_RATES:
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz: "
            f"MP3 has only {_proof.hertz(HIGHEST_BIT_RATES)}; use 'wav' or 'flac'."
        )
    if bit_rate is not None and bit_rate > HIGHEST_BIT_RATES[sample_rate]:
        enough = [rate for rate, highest in HIGHEST_BIT_RATES.items() if highest >= bit_rate]
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz: MP3 reaches {bit_rate // 1000} kb/s "
            f"only at {_proof.hertz(enough)}; use 'mp3 v0', 'wav' or 'flac'."
        )
    _proof.prove(
        name,
        _proof.Wanted("mp3", "libmp3lame", sample_rate, channels, bit_rate),
        sample_rate,
        lambda audio, path: _write(audio, sample_rate, path, bit_rate, Tags()),
    )
