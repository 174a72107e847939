"""A synthesiser for training data: a `SoundSpec` becomes a sound, and the facts about it."""

from audiogen_training.sounds.dsp import PEAK, SAMPLE_RATE
from audiogen_training.sounds.kinds import (
    KINDS,
    Control,
    Facts,
    Kind,
    Rendered,
    SoundSpec,
    render,
    shortest,
)

__all__ = [
    "KINDS",
    "PEAK",
    "SAMPLE_RATE",
    "Control",
    "Facts",
    "Kind",
    "Rendered",
    "SoundSpec",
    "render",
    "shortest",
]
