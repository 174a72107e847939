"""The post-processor: a change of level."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor
from audiogen_core.options import PluginOptions


class MyPlugin(PostProcessor):
    """Makes the audio louder or quieter by a number of decibels."""

    NAME = "my-plugin"

    class Options(PluginOptions):
        """What its entry in ``output.post_processing`` may hold besides ``name``."""

        gain_db: float = Field(-3.0, ge=-100, le=40, description="The change, in decibels.")

    options: Options

    def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
        """Multiplies ``audio``, ``[channels, samples]``; what clips is clipped at the end."""
        return audio * np.float32(10 ** (self.options.gain_db / 20))
