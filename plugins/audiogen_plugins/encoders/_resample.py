"""Changes the sample rate of audio, for formats that know only some rates."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from audiogen_core.audio_file import free_graphs
from audiogen_core.interfaces.encoder import FloatArray
from audiogen_plugins.encoders import _av

if TYPE_CHECKING:
    from av import AudioFrame

QUALITY = "filter_size=256:filter_type=kaiser:kaiser_beta=12:phase_shift=10:cutoff=0.97"
"""Of FFmpeg's resampler: flat to 97 % of the band, with aliases at -140 dB."""

SILENCE = 4096
"""Samples of silence behind the audio, so that the filter gives back the last of it."""


def resampled(audio: FloatArray, sample_rate: int, target: int) -> FloatArray:
    """The audio at another sample rate, in its place in time.

    Args:
        audio: ``[channels, samples]``.
        sample_rate: Its rate in hertz.
        target: The wanted rate in hertz.

    Returns:
        ``[channels, samples * target / sample_rate]``, at least one sample; the audio itself
        where the rates are equal. Peaks between samples may now stand above full scale.
    """
    if sample_rate == target:
        return audio
    import av
    from av.filter import Graph

    layout = _av.LAYOUTS[len(audio) - 1]
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=sample_rate, format="fltp", layout=layout, time_base=Fraction(1, sample_rate)
    )
    resampler = graph.add("aresample", f"{target}:{QUALITY}")
    # Whatever the resampler prefers to compute with, floats come out.
    as_floats = graph.add("aformat", "sample_fmts=fltp")
    sink = graph.add("abuffersink")
    graph.link_nodes(source, resampler, as_floats, sink).configure()
    pieces: list[npt.NDArray[Any]] = []
    for start, block in _av.blocks(np.pad(audio, ((0, 0), (0, SILENCE)))):
        frame = av.AudioFrame.from_ndarray(block, "fltp", layout)
        frame.sample_rate, frame.pts = sample_rate, start
        source.push(frame)
        try:
            while True:
                pieces.append(cast("AudioFrame", sink.pull()).to_ndarray())
        except av.BlockingIOError:
            pass  # it wants more
    del graph, source, resampler, as_floats, sink
    free_graphs()
    samples = max(1, round(audio.shape[1] * target / sample_rate))
    return np.ascontiguousarray(np.concatenate(pieces, axis=1)[:, :samples], np.float32)
