"""Runs the post-processors of an output, and makes sure that an encoder can take what they made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor

INAUDIBLE = 1e-4
"""How far above full scale rounding may lift a sample without a note."""


def post_process(
    audio: FloatArray, chain: Sequence[PostProcessor], context: AudioContext
) -> FloatArray:
    """From the model's audio to what an encoder takes.

    Args:
        audio: As the model made it, ``[channels, samples]``.
        chain: The post-processors, in their order.
        context: What they are told; its ``note`` is told of silence and of clipping too.

    Returns:
        Finite samples in [-1, 1], ``[channels, samples]``, at least one sample.

    Raises:
        FloatingPointError: The model made NaN or infinity.
        ValueError: A post-processor made something that is no audio.
    """
    if not np.isfinite(audio).all():
        raise FloatingPointError("the model made NaN or infinity instead of audio")
    if not audio.any():
        context.note("the model made silence")
    for one in chain:
        audio = _checked(one.process(audio, context), len(audio), one.NAME)
    return _within_full_scale(audio, context.note)


def _checked(audio: FloatArray, channels: int, name: str) -> FloatArray:
    """What a post-processor returned, if it is audio."""
    made = f"post-processor '{name}' made"
    if audio.ndim != 2 or len(audio) != channels:
        raise ValueError(f"{made} {list(audio.shape)} instead of [{channels}, samples]")
    if not audio.size:
        raise ValueError(f"{made} audio without samples")
    if not np.isfinite(audio).all():
        raise ValueError(f"{made} NaN or infinity instead of audio")
    return np.ascontiguousarray(audio, dtype=np.float32)


def _within_full_scale(audio: FloatArray, note: Callable[[str], None]) -> FloatArray:
    """Clips, as every file format with whole numbers would, and says so."""
    peak = float(np.abs(audio).max())
    if peak > 1 + INAUDIBLE:
        note(f"clipped: its peaks reach {20 * np.log10(peak):+.1f} dBFS")
    return audio if peak <= 1 else np.clip(audio, -1, 1)
