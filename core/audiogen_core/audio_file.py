"""Reads audio files of any format that FFmpeg knows, through PyAV, block by block."""

from __future__ import annotations

import gc
from collections.abc import Generator
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.options import shown
from audiogen_core.resampling import resample

if TYPE_CHECKING:
    from typing import BinaryIO

    import av
    from av.container import InputContainer

MAX_RECORDING_BYTES = 2**30
"""Hours of audio: the whole file is read to tell it from others, which then takes seconds."""

MARGIN = 4096
"""Samples that are read beyond what is kept, for a resampler sees what comes next."""

MAX_DAMAGED = 2**16
"""Packets of a file that cannot be decoded: half an hour of MP3, tried within a second."""

MIN_RATE = 2000
"""Less than any recording has, and enough for a block of it to fit into memory at another rate."""

MAX_RATE = 768_000
MAX_CHANNELS = 64
"""More than any recording has, and little enough for a second of it to fit into memory."""


def check_audio_file(path: Path) -> None:
    """Makes sure that there is a file that begins like audio.

    Raises:
        ValueError: There is none; the message has no path.
    """
    if not path.exists():
        raise ValueError("does not exist")
    if not path.is_file():
        raise ValueError("is no file")
    frames = _frames(path)
    if next(frames, None) is None:
        raise ValueError("holds no audio")
    frames.close()


def check_recording(value: Any) -> None:
    """Raises a ValueError unless a value is the path of a file that begins like audio."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be the path of an audio file, not {shown(value)}")
    path = Path(value)
    try:
        if path.is_file() and path.stat().st_size > MAX_RECORDING_BYTES:
            raise ValueError(f"is larger than {MAX_RECORDING_BYTES >> 20} MiB")
        check_audio_file(path)
    except OSError as error:
        raise ValueError(f"file {shown(value)} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"file '{value}' {error}") from None


def audio_blocks(path: Path, sample_rate: int, channels: int) -> Generator[FloatArray, None, None]:
    """The audio of a file at a rate and with channels of one's own choice.

    Args:
        path: The file.
        sample_rate: In hertz.
        channels: 1, which is the mean of the file's, or 2: the first two of the file, or its only
            one twice.

    Yields:
        Float32, ``[channels, samples]``, at least one sample.

    Raises:
        ValueError: It cannot be read; the message has no path.
    """
    import av

    layout = "mono" if channels == 1 else "stereo"
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=sample_rate)
    for block, rate in _decoded(path):
        # Mixed here: FFmpeg's own mix of two channels is louder than either.
        mixed = np.ascontiguousarray(_mixed(block, channels))
        if not np.isfinite(mixed).all():
            raise ValueError("holds NaN or infinity")
        frame = av.AudioFrame.from_ndarray(mixed, "fltp", layout)
        frame.sample_rate = rate
        for one in resampler.resample(frame):
            yield cast("FloatArray", one.to_ndarray())
    for one in resampler.resample(None):
        yield cast("FloatArray", one.to_ndarray())
    del resampler
    free_graphs()


def read_beginning(path: Path, sample_rate: int, channels: int, samples: int) -> FloatArray:
    """The beginning of a recording, as models take it.

    Args:
        path: The file; no more of it is read than what is needed.
        sample_rate: What it is resampled to.
        channels: One is the mean of the file's; a single one of the file becomes all; of more than
            are wanted, the first are taken.
        samples: How many there shall be: silence follows a shorter recording.

    Returns:
        ``[channels, samples]``.

    Raises:
        ValueError: It cannot be read, or has too few channels; the message has no path.
    """
    parts: list[FloatArray] = []
    rate = sample_rate
    wanted = length = 0
    for block, rate in _decoded(path):
        wanted = wanted or -(-samples * rate // sample_rate) + MARGIN
        # Piece by piece: the number of channels may change.
        parts.append(_mixed(block, channels))
        length += block.shape[1]
        if length >= wanted:
            break
    free_graphs()
    if not parts:
        raise ValueError("holds no audio")
    audio = np.concatenate(parts, axis=1)[:, :wanted]
    if not np.isfinite(audio).all():
        raise ValueError("holds NaN or infinity")
    if rate != sample_rate:
        audio = resample(audio, rate, sample_rate)
    kept = audio[:, :samples]
    return np.pad(kept, ((0, 0), (0, samples - kept.shape[1])))


def _decoded(path: Path) -> Generator[tuple[FloatArray, int], None, None]:
    """The channels of a file as they are, ``[channels, samples]``, and their rate in hertz.

    The rate is always that of the beginning; the number of channels may change.

    Raises:
        ValueError: Nothing of it can be decoded.
    """
    import av

    rate = 0
    for (_, layout, own_rate), frames in groupby(_frames(path), key=_form):
        rate = rate or own_rate
        # Packed: of more than eight planes, PyAV reads beyond the last that it has.
        converter = av.AudioResampler("flt", layout, rate)
        for frame in chain(frames, [None]):
            for one in converter.resample(frame):
                yield unpacked(one), rate
        del converter
        free_graphs()


def _form(frame: av.AudioFrame) -> tuple[str, str, int]:
    """What a resampler cannot change between two frames, and some files do."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def free_graphs() -> None:
    """Frees FFmpeg's filters that nobody refers to any more, with their threads and buffers.

    From its version 19 on, PyAV's graphs refer to themselves, and the collector sees only how few
    objects they are: dozens of them would stay, each with a thread for every processor.
    """
    gc.collect(1)


def audio_stream(source: av.container.InputContainer) -> av.AudioStream:
    """The first audio of a file.

    Raises:
        ValueError: It has none that can be decoded.
    """
    for stream in source.streams.audio[:1]:
        # Of a codec that FFmpeg does not know, there is no context; and by its ending alone,
        # anything may pass for FLAC: then it has no sample rate.
        context: Any = stream.codec_context
        if context is not None and context.sample_rate:
            return stream
    raise ValueError("holds no audio")


def open_source(file: str | BinaryIO, protocols: str) -> InputContainer:
    """Opens audio for reading, whatever encoding its tags are in.

    Args:
        file: An open file, or a path.
        protocols: Those by which FFmpeg may read.

    Returns:
        Bytes of its metadata that are no UTF-8 are lone surrogates.

    Raises:
        av.FFmpegError: It cannot be opened.
    """
    import av

    # From its version 19 on, PyAV knows no other way, and no such option.
    is_older = int(av.__version__.partition(".")[0]) < 19
    kept: dict[str, Any] = {"metadata_errors": "surrogateescape"} if is_older else {}
    source: InputContainer = av.open(file, "r", options={"protocol_whitelist": protocols}, **kept)
    return source


def _frames(path: Path) -> Generator[av.AudioFrame, None, None]:
    """What of a file can be decoded: damaged packets are left out, as players do.

    Raises:
        ValueError: Nothing of it, or more than `MAX_DAMAGED` packets are damaged.
    """
    import av

    found, damaged = False, 0
    reason: str | None = None
    try:
        # An open file and no protocol: no name and no playlist leads anywhere else.
        with path.open("rb") as file, open_source(file, "none") as source:
            for packet in source.demux(audio_stream(source)):
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    reason = error.strerror
                    damaged += 1
                    if damaged > MAX_DAMAGED:
                        raise ValueError(f"is damaged in over {MAX_DAMAGED} places") from None
                    continue
                for frame in frames:
                    if not MIN_RATE <= frame.sample_rate <= MAX_RATE:
                        raise ValueError(f"claims {frame.sample_rate} Hz, which no audio has")
                    if frame.layout.nb_channels > MAX_CHANNELS:
                        raise ValueError("claims more channels than audio has")
                    if frame.samples:
                        yield frame
                        found = True
    except av.FFmpegError as error:  # where the file itself ends being readable, so does the audio
        reason = error.strerror
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if reason is not None and not found:
        raise ValueError(f"cannot be read as audio: {reason}")


def unpacked(frame: av.AudioFrame) -> FloatArray:
    """The samples of a frame in the format ``flt``, ``[channels, samples]``."""
    samples = cast("FloatArray", frame.to_ndarray())
    return samples.reshape(-1, frame.layout.nb_channels).T


def _mixed(audio: FloatArray, channels: int) -> FloatArray:
    if channels == 1:
        mono: FloatArray = audio.mean(axis=0, keepdims=True, dtype=np.float32)
        return mono
    if len(audio) == 1:
        return audio.repeat(channels, axis=0)
    if len(audio) < channels:
        raise ValueError(f"has {len(audio)} channels, and the model takes {channels}")
    return audio[:channels]
