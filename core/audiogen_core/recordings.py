"""The recordings that a sample may hold beside its prompt: to be varied, or to be filled in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from audiogen_core.audio_file import check_recording
from audiogen_core.models.config import ModelConfig
from audiogen_core.options import shown, type_name

INIT_AUDIO = "init_audio"
INPAINT_AUDIO = "inpaint_audio"
MASK = "mask"

FILES = (INIT_AUDIO, INPAINT_AUDIO)

MAX_RANGES = 1000
"""Of a mask: more than there are latents would be one range."""


def is_encoded(values: Mapping[str, Any]) -> bool:
    """Whether audio of a sample has to become latents."""
    return any(values.get(key) is not None for key in FILES)


def check_mask(value: Any, model: ModelConfig | None) -> None:
    """Raises a ValueError unless a value is a list of ranges in seconds, ``[start, end]``.

    The end of one may be null: that of the model's length. Without a model, it is not asked where
    its latents begin and end.
    """
    longest = math.inf if model is None else model.samples / model.sample_rate
    if not isinstance(value, list) or not value or len(value) > MAX_RANGES:
        raise ValueError(
            "must be a list of ranges in seconds, such as [[0.5, 2], [3, null]], not "
            f"{shown(value)}"
        )
    for index, one in enumerate(value):
        if not (isinstance(one, list) and len(one) == 2):
            raise ValueError(f"[{index}] must be [start, end] in seconds, not {shown(one)}")
        start, end = one
        end = longest if end is None else end
        for number in (start, end):
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise ValueError(f"[{index}] must hold numbers, not {type_name(number)}")
        if not 0 <= start < end:
            raise ValueError(
                f"[{index}] must begin at 0 or later and end after that, not {shown(one)}"
            )
        if model is None:
            continue
        if start >= longest:
            raise ValueError(
                f"[{index}] begins at {shown(start)} seconds, where this model's output has ended: "
                f"it makes {longest:.4g}"
            )
        if not _covers_any(start, end, model):
            lasts = 1000 * model.ratio / model.sample_rate
            raise ValueError(
                f"[{index}] covers none of this model's latents, of which one begins every "
                f"{lasts:.3g} ms: make it longer"
            )


def _covers_any(start: float, end: float, model: ModelConfig) -> bool:
    """Whether a latent begins in a range."""
    nearest = math.ceil(start * model.sample_rate / model.ratio)
    last = model.latents - 1
    begins = (
        min(number, last) * model.ratio / model.sample_rate for number in (nearest - 1, nearest)
    )
    return any(start <= time < end for time in begins)


class RecordingChecks:
    """What a model's samples may hold of recordings.

    Args:
        model: The model's config; None for what any model's may hold.
    """

    def __init__(self, model: ModelConfig | None) -> None:
        self._inpaints = model is None or model.inpaints
        self._mask = partial(check_mask, model=model)

    def of(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[Any], None]]]:
        """For each such key of a sample, the check of its value, which raises a ValueError."""
        if values.get(INIT_AUDIO) is not None:
            yield INIT_AUDIO, check_recording
        recording, mask = values.get(INPAINT_AUDIO), values.get(MASK)
        if recording is not None:
            if not self._inpaints:
                yield INPAINT_AUDIO, _cannot_inpaint
            elif mask is None:
                yield INPAINT_AUDIO, _needs_mask
            else:
                yield INPAINT_AUDIO, check_recording
        if mask is not None:
            yield MASK, self._mask if recording is not None else _needs_recording


def _cannot_inpaint(value: Any) -> None:
    del value
    raise ValueError(
        "this model cannot inpaint: that takes one of the type 'diffusion_cond_inpaint'; "
        "init_audio varies a recording"
    )


def _needs_mask(value: Any) -> None:
    del value
    raise ValueError(
        "needs 'mask', the ranges that are made anew: [[3, null]] goes on after 3 seconds"
    )


def _needs_recording(value: Any) -> None:
    del value
    raise ValueError("goes with inpaint_audio, the recording that it is a mask of")


def kept(mask: list[list[float | None]], model: ModelConfig, latents: int) -> list[float]:
    """For each latent 1 where its recording is kept, and 0 where it is made anew."""
    seconds = [number * model.ratio / model.sample_rate for number in range(latents)]

    def is_new(time: float) -> bool:
        return any(start <= time and (end is None or time < end) for start, end in mask)  # type: ignore[operator]

    return [0.0 if is_new(time) else 1.0 for time in seconds]
