"""MP3 with LAME: the best variable bit rate, and two constant ones.

MP3 knows nine sample rates, and the slower ones stop at a lower bit rate. LAME does not say so:
asked for 320 kb/s at 24 kHz it writes 160. So the limits are stated here, and one second is
encoded and read back to prove them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError, FloatArray
from audiogen_plugins.encoders import _av

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


class Mp3V0(Encoder):
    """MP3, variable bit rate, highest quality."""

    NAME = "mp3 v0"
    EXTENSION = ".mp3"

    def check(self, sample_rate: int, channels: int) -> None:
        """Encodes one second and reads it back."""
        _prove(self.NAME, None, sample_rate, channels)

    def encode(self, audio: FloatArray, sample_rate: int, path: Path) -> None:
        """Writes ``audio``, ``[channels, samples]``."""
        _write(audio, sample_rate, path, None)


class Mp3Cbr320(Encoder):
    """MP3, constant 320 kb/s."""

    NAME = "mp3 320k"
    EXTENSION = ".mp3"

    def check(self, sample_rate: int, channels: int) -> None:
        """Encodes one second and reads it back."""
        _prove(self.NAME, 320_000, sample_rate, channels)

    def encode(self, audio: FloatArray, sample_rate: int, path: Path) -> None:
        """Writes ``audio``, ``[channels, samples]``."""
        _write(audio, sample_rate, path, 320_000)


class Mp3Cbr128(Encoder):
    """MP3, constant 128 kb/s."""

    NAME = "mp3 128k"
    EXTENSION = ".mp3"

    def check(self, sample_rate: int, channels: int) -> None:
        """Encodes one second and reads it back."""
        _prove(self.NAME, 128_000, sample_rate, channels)

    def encode(self, audio: FloatArray, sample_rate: int, path: Path) -> None:
        """Writes ``audio``, ``[channels, samples]``."""
        _write(audio, sample_rate, path, 128_000)


def _write(audio: FloatArray, sample_rate: int, path: Path, bit_rate: int | None) -> None:
    """Writes at ``bit_rate`` bits a second, or as V0 when there is none."""
    _av.write(
        audio,
        sample_rate,
        path,
        container="mp3",
        codec="libmp3lame",
        sample_format="fltp",
        bit_rate=bit_rate,
        best_vbr=bit_rate is None,
    )


@cache
def _prove(name: str, bit_rate: int | None, sample_rate: int, channels: int) -> None:
    """Raises `EncoderUnavailableError` unless a second of audio comes out as it should."""
    from av.codec.codec import UnknownCodecError
    from av.error import FFmpegError

    if channels not in (1, 2):
        raise EncoderUnavailableError(
            f"'{name}' cannot be written with {channels} channels: "
            f"MP3 is mono or stereo; use 'wav' or 'flac'."
        )
    if sample_rate not in HIGHEST_BIT_RATES:
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz: "
            f"MP3 has only {_hertz(HIGHEST_BIT_RATES)}; use 'wav' or 'flac'."
        )
    if bit_rate is not None and bit_rate > HIGHEST_BIT_RATES[sample_rate]:
        enough = [rate for rate, highest in HIGHEST_BIT_RATES.items() if highest >= bit_rate]
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz: MP3 reaches "
            f"{bit_rate // 1000} kb/s only at {_hertz(enough)}; use 'mp3 v0', 'wav' or 'flac'."
        )
    signal = _av.probe_signal(sample_rate, channels)
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        path = Path(folder, "probe.mp3")
        try:
            _write(signal, sample_rate, path, bit_rate)
            written = _av.read_back(path)
        except UnknownCodecError:
            raise EncoderUnavailableError(
                f"'{name}' cannot be written: this PyAV was built without libmp3lame, "
                f"which the wheels from PyPI have (pip install av); or use 'wav' or 'flac'."
            ) from None
        except (FFmpegError, RuntimeError, ValueError) as error:
            raise EncoderUnavailableError(
                f"'{name}' cannot be written at {sample_rate} Hz with {channels} channels: "
                f"encoding a second to try it failed ({_av.reason(error)}); use 'wav' or 'flac'."
            ) from error
    wanted = ("mp3", sample_rate, channels, sample_rate)
    got = (written.codec, written.sample_rate, written.channels, written.samples)
    # Frames are whole bytes, and one frame in 38 of a second may be missing at either end.
    right_rate = bit_rate is None or abs(written.bit_rate / bit_rate - 1) < 0.02
    if got != wanted or not right_rate:
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz with {channels} channels: "
            f"a second encoded to try it came back as {written}; use 'wav' or 'flac'."
        )


def _hertz(rates: Iterable[int]) -> str:
    *first, last = map(str, rates)
    return f"{', '.join(first)} and {last} Hz"
