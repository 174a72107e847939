"""Reads audio files with their tags, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiogen_core.interfaces.encoder import FloatArray

MAX_SAMPLES = 1 << 28
"""Of all channels of a file, which then take a gibibyte: more than an hour and a half in stereo."""


@dataclass(frozen=True)
class Sound:
    """What a file holds.

    Attributes:
        audio: ``[channels, samples]``, full scale at 1.
        sample_rate: In hertz.
    """

    audio: FloatArray
    sample_rate: int


def read_sound(path: Path) -> Sound:
    """Decodes a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds no audio, or more than `MAX_SAMPLES`.
    """
    import av

    blocks: list[FloatArray] = []
    count = 0
    # Absolute, so that no file name is taken for a protocol.
    with av.open(str(path.absolute())) as source:
        if not source.streams.audio:
            raise ValueError("it holds no audio")
        stream = source.streams.audio[0]
        rate = stream.codec_context.sample_rate
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
        for frame in source.decode(stream):
            for converted in resampler.resample(frame):
                block = converted.to_ndarray().astype(np.float32, copy=False)
                count += block.size
                if count > MAX_SAMPLES:
                    raise ValueError(f"it holds more than {MAX_SAMPLES} samples")
                blocks.append(block)
    if not count:
        raise ValueError("it holds no audio")
    return Sound(np.nan_to_num(np.concatenate(blocks, axis=1)), rate)


def read_tags(path: Path) -> Mapping[str, str]:
    """The tags of a file, by FFmpeg's keys in lower case; none where it cannot be read."""
    import av

    try:
        with av.open(str(path.absolute())) as source:
            streams = source.streams.audio
            # Ogg keeps them with the stream, the others with the file.
            found = {**(streams[0].metadata if streams else {}), **source.metadata}
    except (OSError, ValueError):
        return {}
    return {key.lower(): text for key, text in found.items()}
