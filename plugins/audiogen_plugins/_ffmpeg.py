"""Hands audio to FFmpeg, a block at a time, and takes it back from its filters.

PyAV is imported inside the functions: listing plugins must not load FFmpeg.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.audio_file import free_graphs

if TYPE_CHECKING:
    from av import AudioFrame

LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
"""FFmpeg's name of each channel count's layout, in the order of the FLAC specification."""

BLOCK = 1 << 16
"""Samples a channel that are converted at a time, so that long audio is never copied whole."""


def blocks(audio: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Pieces of the audio, ``[channels, up to BLOCK]``, each with where it starts.

    Raises:
        ValueError: A sample is NaN or infinite.
    """
    for start in range(0, audio.shape[1], BLOCK):
        block = np.ascontiguousarray(audio[:, start : start + BLOCK])
        # The core checks before; FFmpeg's float encoders abort the whole process on a NaN.
        if not np.isfinite(block).all():
            raise ValueError("audio holds samples that are NaN or infinite")
        yield start, block


def filtered(
    audio: FloatArray, sample_rate: int, *filters: tuple[str, str]
) -> Iterator[AudioFrame]:
    """What comes out of a chain of FFmpeg's filters.

    Args:
        audio: ``[channels, samples]``, of up to eight channels.
        sample_rate: In hertz.
        filters: Their names and options.
    """
    import av
    from av.filter import Graph

    layout = LAYOUTS[len(audio) - 1]
    graph = Graph()
    graph.link_nodes(
        graph.add_abuffer(
            sample_rate=sample_rate, format="flt", layout=layout, time_base=Fraction(1, sample_rate)
        ),
        *(graph.add(name, options) for name, options in filters),
        graph.add("abuffersink"),
    ).configure()

    def frames() -> Iterator[AudioFrame]:
        for start, block in blocks(audio):
            # Packed: PyAV makes no frames of eight planes.
            frame = av.AudioFrame.from_ndarray(block.T.reshape(1, -1), "flt", layout)
            frame.sample_rate, frame.pts = sample_rate, start
            yield frame

    for frame in chain(frames(), [None]):
        graph.push(frame)
        with contextlib.suppress(av.BlockingIOError, av.EOFError):  # it wants more, or was all
            while True:
                yield cast("AudioFrame", graph.pull())
    del graph
    free_graphs()
