"""Contract checks for post-processors: run them over your own, as this project does over its own.

In a test of your own::

    def test_my_post_processor():
        check_post_processor(Delay(Delay.Options(seconds=0.1)))

Every check runs real audio through it, and raises `AssertionError` with what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor
from audiogen_core.options import validate

SAMPLE_RATE = 44100


def signals() -> Iterator[tuple[str, FloatArray]]:
    """Audio that an output may be: by its description, ``[channels, samples]``."""
    noise = np.random.default_rng(0).standard_normal((2, SAMPLE_RATE)).astype(np.float32)
    yield "quiet stereo noise", noise * np.float32(0.01)
    yield "stereo noise beyond full scale", noise
    yield "mono noise", noise[:1] * np.float32(0.1)
    yield "silence", np.zeros((2, SAMPLE_RATE), np.float32)
    yield "a single sample", np.full((2, 1), 0.5, np.float32)


def check_post_processor_class(plugin: type[PostProcessor], options: Mapping[str, Any]) -> None:
    """Checks a post-processor as a config would make it.

    Args:
        plugin: The class.
        options: What its entry in ``output.post_processing`` holds besides ``name``.
    """
    check_post_processor(plugin(validate(plugin.Options, dict(options))))


def check_post_processor(plugin: PostProcessor) -> None:
    """Checks that it returns audio whatever it is given, the same again, and leaves that alone."""
    for what, audio in signals():
        given = audio.copy()
        given.flags.writeable = False
        context = AudioContext(SAMPLE_RATE, {"prompt": "", "seconds_total": 0.5}, lambda _: None)
        made = plugin.process(given, context)
        assert made.ndim == 2, f"{what} became {made.ndim}-dimensional"
        assert len(made) == len(audio), f"{what} became {len(made)} channels"
        assert made.size, f"{what} lost its last sample"
        assert made.dtype == np.float32, f"{what} became {made.dtype}"
        assert np.isfinite(made).all(), f"{what} became NaN or infinity"
        again = plugin.process(given, context)
        assert np.array_equal(made, again), f"{what} became something else the second time"
