"""Changes the sample rate of audio, for formats that know only some rates."""

from __future__ import annotations

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.audio_file import unpacked
from audiogen_plugins._ffmpeg import filtered

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
    padded = np.pad(audio, ((0, 0), (0, SILENCE)))
    resampler = ("aresample", f"{target}:{QUALITY}")
    # Whatever the resampler prefers to compute with, floats come out.
    as_floats = ("aformat", "sample_fmts=flt")
    pieces = [unpacked(frame) for frame in filtered(padded, sample_rate, resampler, as_floats)]
    samples = max(1, round(audio.shape[1] * target / sample_rate))
    return np.ascontiguousarray(np.concatenate(pieces, axis=1)[:, :samples], np.float32)
