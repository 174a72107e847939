"""Proves that an encoder of this machine does what it is asked for, by one second of audio."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import EncoderUnavailableError
from audiogen_plugins.encoders import _av


@dataclass(frozen=True)
class Wanted:
    """What one second must come back as.

    Attributes:
        codec: FFmpeg's name of the decoder.
        library: FFmpeg's name of the encoder, for the message when PyAV lacks it.
        sample_rate: Of the file, in hertz.
        channels: Their number.
        bit_rate: In bits a second; None for one that follows the sound.
        padding: How many samples may follow the audio.
    """

    codec: str
    library: str
    sample_rate: int
    channels: int
    bit_rate: int | None = None
    padding: int = 0

    def fits(self, written: _av.Written) -> bool:
        """Whether a file is what was wanted."""
        wanted = (self.codec, self.sample_rate, self.channels)
        if wanted != (written.codec, written.sample_rate, written.channels):
            return False
        if not 0 <= written.samples - self.sample_rate <= self.padding:
            return False
        # Frames are whole bytes, and one frame in 38 of a second may be missing at either end.
        return self.bit_rate is None or abs(written.bit_rate / self.bit_rate - 1) < 0.02


def prove(
    name: str, wanted: Wanted, sample_rate: int, write: Callable[[FloatArray, Path], None]
) -> None:
    """Encodes a second and reads it back.

    Args:
        name: The format's, for the message.
        wanted: What must come back.
        sample_rate: Of the audio, in hertz.
        write: Encodes audio, ``[channels, samples]``, into a file.

    Raises:
        EncoderUnavailableError: It cannot be encoded, or comes back as something else.
    """
    from av.codec.codec import UnknownCodecError
    from av.error import FFmpegError

    where = f"'{name}' cannot be written at {sample_rate} Hz with {wanted.channels} channels"
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        path = Path(folder, "probe")
        try:
            write(_av.probe_signal(sample_rate, wanted.channels), path)
            written = _av.read_back(path)
        except UnknownCodecError:
            raise EncoderUnavailableError(
                f"'{name}' cannot be written: this PyAV was built without {wanted.library}, "
                f"which the wheels from PyPI have (pip install av); or use 'wav' or 'flac'."
            ) from None
        except (FFmpegError, RuntimeError, ValueError) as error:
            raise EncoderUnavailableError(
                f"{where}: encoding a second to try it failed ({_av.reason(error)}); "
                "use 'wav' or 'flac'."
            ) from error
    if not wanted.fits(written):
        raise EncoderUnavailableError(
            f"{where}: a second encoded to try it came back as {written}; use 'wav' or 'flac'."
        )


def check_mono_or_stereo(name: str, codec: str, channels: int) -> None:
    """Raises `EncoderUnavailableError` for more than two channels."""
    if channels not in (1, 2):
        raise EncoderUnavailableError(
            f"'{name}' cannot be written with {channels} channels: "
            f"{codec} is mono or stereo; use 'wav' or 'flac'."
        )


def hertz(rates: Iterable[int]) -> str:
    """``8000, 16000 and 48000 Hz``."""
    *first, last = map(str, rates)
    return f"{', '.join(first)} and {last} Hz"
