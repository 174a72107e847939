"""``fade``: fades in and out."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor
from audiogen_core.options import PluginOptions


class Fade(PostProcessor):
    """Fades in from silence and out to it; both reach over the whole of audio that is shorter."""

    NAME = "fade"

    class Options(PluginOptions):
        """Options of ``fade``."""

        fade_in: float = Field(0.0, ge=0, description="Length of the fade-in, in seconds.")
        fade_out: float = Field(0.0, ge=0, description="Length of the fade-out, in seconds.")
        curve: Literal["linear", "cosine", "exponential"] = Field(
            "cosine",
            description="Of the amplitude: a straight line, half a cosine, or even in decibels.",
        )

    options: Options

    def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
        """Multiplies both ends of ``audio``, ``[channels, samples]``."""
        audio = audio.copy()
        rising = self._gain(self.options.fade_in, audio, context)
        audio[:, : rising.size] *= rising
        falling = self._gain(self.options.fade_out, audio, context)[::-1]
        audio[:, audio.shape[1] - falling.size :] *= falling
        return audio

    def _gain(self, seconds: float, audio: FloatArray, context: AudioContext) -> FloatArray:
        """The gain of a fade-in, from 0 at its first sample to just below 1, ``[samples]``."""
        length = int(np.rint(min(seconds * context.sample_rate, audio.shape[1])))
        place: FloatArray = np.arange(length, dtype=np.float32) / np.float32(max(length, 1))
        if self.options.curve == "linear":
            return place
        if self.options.curve == "cosine":
            cosine: FloatArray = np.float32(0.5) * (1 - np.cos(np.pi * place))
            return cosine
        floor = np.float32(10 ** (-FLOOR / 20))
        return (floor ** (1 - place) - floor) / (1 - floor)


FLOOR = 60
"""How far below full level, in decibels, a fade that is even in decibels begins."""
