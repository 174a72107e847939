"""Reads audio files with their tags, whoever wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.audio_file import audio_stream, free_graphs, open_source, unpacked

MAX_SAMPLES = 1 << 28
"""Of all channels of a file, which then take a gibibyte: more than an hour and a half in stereo."""

LOUDEST = 1e6
"""What is beyond 120 dB above full scale is no sound, and its powers would exceed all numbers."""


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
    # Absolute, so that no file name is taken for a protocol, and nothing but files.
    with open_source(str(path.absolute()), "file") as source:
        stream = audio_stream(source)
        rate = stream.codec_context.sample_rate
        resampler = av.AudioResampler(format="flt", layout=stream.layout, rate=rate)
        for frame in source.decode(stream):
            for converted in resampler.resample(frame):
                block = unpacked(converted)
                count += block.size
                if count > MAX_SAMPLES:
                    raise ValueError(f"holds more than {MAX_SAMPLES} samples")
                blocks.append(block)
        del resampler
    free_graphs()
    if not count:
        raise ValueError("holds no audio")
    audio = np.concatenate(blocks, axis=1)
    np.nan_to_num(audio, copy=False)
    return Sound(audio.clip(-LOUDEST, LOUDEST, out=audio), rate)
