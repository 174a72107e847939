"""Reads audio files of any format that FFmpeg knows, through PyAV, block by block."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from audiogen_core.interfaces.encoder import FloatArray

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, AudioStream]]:
    import av

    try:
        # Absolute, and nothing but files: no name and no playlist leads anywhere else.
        with av.open(
            str(path.absolute()), options={"protocol_whitelist": "file"}, metadata_errors="replace"
        ) as source:
            # By its ending alone, anything may pass for FLAC; then it has no sample rate.
            if not source.streams.audio or not source.streams.audio[0].codec_context.sample_rate:
                raise ValueError("holds no audio")
            yield source, source.streams.audio[0]
    except av.FFmpegError as error:
        raise ValueError(f"cannot be read as audio: {error.strerror}") from None


def check_audio_file(path: Path) -> None:
    """Makes sure that there is a file that begins like audio.

    Raises:
        ValueError: There is none; the message has no path.
    """
    if not path.exists():
        raise ValueError("does not exist")
    if not path.is_file():
        raise ValueError("is no file")
    with _opened(path):
        pass


def audio_blocks(path: Path, sample_rate: int, channels: int) -> Generator[FloatArray, None, None]:
    """The audio of a file at a rate and with channels of one's own choice.

    Args:
        path: The file.
        sample_rate: In hertz.
        channels: 1, which is the mean of the file's channels where it is stereo, or 2.

    Yields:
        Float32, ``[channels, samples]``, at least one sample.

    Raises:
        ValueError: It cannot be read; the message has no path.
    """
    import av

    layout = "mono" if channels == 1 else "stereo"
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=sample_rate)
    with _opened(path) as (source, stream):
        for frame in source.decode(stream):
            for one in resampler.resample(frame):
                yield cast("FloatArray", one.to_ndarray())
        for one in resampler.resample(None):
            yield cast("FloatArray", one.to_ndarray())
