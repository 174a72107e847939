"""``none``: the audio as the model made it."""

from __future__ import annotations

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor


class Nothing(PostProcessor):
    """Changes nothing: alone in a chain, it keeps the level that the model chose."""

    NAME = "none"

    def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
        """Returns ``audio``."""
        del context
        return audio
