"""``trim``: cuts to the length that the sample asks for."""

from __future__ import annotations

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor


class Trim(PostProcessor):
    """Keeps the first ``seconds_total`` seconds; audio that is shorter stays as it is."""

    NAME = "trim"

    def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
        """Cuts ``audio``, ``[channels, samples]``, rounding to the nearest sample."""
        seconds = context.seconds_total
        return audio if seconds is None else audio[:, : round(seconds * context.sample_rate)]
