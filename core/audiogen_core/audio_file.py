"""Recordings that samples start from: checked before a model is loaded, read as it takes them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from audiogen_core.options import shown

if TYPE_CHECKING:
    import av

FloatArray = npt.NDArray[np.float32]

MARGIN = 4096
"""Samples that are decoded beyond what is kept, for a resampler sees what comes next."""

MAX_RATE = 768_000
MAX_CHANNELS = 64
"""More than any recording has, and little enough for a second of it to fit into memory."""

NO_OTHER_FILES = {"protocol_whitelist": "none"}
"""A playlist would name other files, or addresses."""


def check_audio_file(path: Any) -> None:
    """Raises a ValueError unless ``path`` is a file whose audio can be decoded."""
    if not isinstance(path, str) or not path:
        raise ValueError(f"must be the path of an audio file, not {shown(path)}")
    next(_chunks(path))


def read_audio(path: str, sample_rate: int, channels: int, samples: int) -> FloatArray:
    """The beginning of a recording.

    Args:
        path: Any file that FFmpeg reads.
        sample_rate: What it is resampled to.
        channels: What it is mixed to: one is the mean of all; of two, a single channel becomes
            both, and more than two are cut off.
        samples: How many there shall be: silence follows a shorter recording.

    Returns:
        ``[channels, samples]``.

    Raises:
        ValueError: It cannot be decoded.
    """
    parts: list[FloatArray] = []
    wanted = rate = 0
    for rate, part in _chunks(path):
        wanted = -(-samples * rate // sample_rate) + MARGIN
        if parts and len(part) != len(parts[0]):
            break  # what another number of channels begins is another recording
        parts.append(part)
        if sum(one.shape[1] for one in parts) >= wanted:
            break
    audio = _mixed(np.concatenate(parts, axis=1)[:, :wanted], channels)
    if rate != sample_rate:
        audio = _resampled(audio, rate, sample_rate)
    kept = audio[:, :samples]
    return np.pad(kept, ((0, 0), (0, samples - kept.shape[1])))


def _mixed(audio: FloatArray, channels: int) -> FloatArray:
    if channels == 1:
        mono: FloatArray = audio.mean(axis=0, keepdims=True, dtype=np.float32)
        return mono
    if len(audio) == 1:
        return audio.repeat(channels, axis=0)
    if len(audio) < channels:
        raise ValueError(f"has {len(audio)} channels, and the model takes {channels}")
    return audio[:channels]


def _chunks(path: str) -> Iterator[tuple[int, FloatArray]]:
    """The sample rate and the samples ``[channels, length]`` of each frame; at least one.

    Raises:
        ValueError: There is none.
    """
    import av

    file = Path(path)
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "is a folder, not an audio file" if stat.S_ISDIR(mode) else "is no regular file"
            raise ValueError(f"'{path}' {what}")
        stream = file.open("rb")
    except FileNotFoundError:
        raise ValueError(f"file '{path}' does not exist") from None
    except OSError as error:
        raise ValueError(f"file '{path}' cannot be read: {error.strerror}") from None
    found = False
    try:
        with stream, av.open(stream, "r", options=NO_OTHER_FILES) as container:
            if not container.streams.audio:
                raise ValueError(f"file '{path}' holds no audio")
            converters: dict[tuple[str, str, int], av.AudioResampler] = {}
            for frame in _frames(container):
                if not 0 < frame.sample_rate <= MAX_RATE:
                    raise ValueError(f"file '{path}' claims {frame.sample_rate} samples a second")
                if not 0 < frame.layout.nb_channels <= MAX_CHANNELS:
                    raise ValueError(f"file '{path}' claims {frame.layout.nb_channels} channels")
                kind = frame.format.name, frame.layout.name, frame.sample_rate
                if kind not in converters:
                    converters[kind] = av.AudioResampler("fltp", frame.layout.name, kind[2])
                for one in converters[kind].resample(frame):
                    yield one.sample_rate, one.to_ndarray().astype(np.float32, copy=False)
                found = True
    except (av.FFmpegError, UnicodeDecodeError, OSError) as error:
        if not found:
            cause = getattr(error, "strerror", None) or type(error).__name__
            raise ValueError(f"file '{path}' cannot be decoded: {cause}") from None
        return  # what comes before damage is heard, as players do
    if not found:
        raise ValueError(f"file '{path}' holds no audio")


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    for frame in container.decode(audio=0):
        if frame.samples:
            yield frame


def _resampled(audio: FloatArray, rate: int, wanted: int) -> FloatArray:
    """As torchaudio does, where it can be loaded; else as FFmpeg does."""
    from audiogen_core.torchaudio_shim import import_torchaudio

    if (torchaudio := import_torchaudio()) is not None:
        import torch

        resampled: FloatArray = torchaudio.functional.resample(
            torch.from_numpy(audio), rate, wanted
        ).numpy()
        return resampled
    import av

    layout = {1: "mono", 2: "stereo"}.get(len(audio), f"{len(audio)} channels")
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio), "fltp", layout)
    frame.sample_rate = rate
    resampler = av.AudioResampler("fltp", layout, wanted)
    parts = [one.to_ndarray() for one in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(parts, axis=1).astype(np.float32, copy=False)
