"""``peak``: brings the highest sample to a level."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor
from audiogen_core.options import PluginOptions


class Peak(PostProcessor):
    """Peak normalisation: one gain for the whole output; silence stays silence."""

    NAME = "peak"

    class Options(PluginOptions):
        """Options of ``peak``."""

        level: float = Field(
            0.0, ge=-100, le=0, description="Where the highest sample goes, in dBFS."
        )

    options: Options

    def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
        """Scales ``audio``, ``[channels, samples]``."""
        del context
        peak = np.abs(audio).max()
        if peak == 0:
            return audio
        scaled: FloatArray = audio / peak * np.float32(10 ** (self.options.level / 20))
        return scaled
