"""Contract checks for embedders: run them over your own, as this project does over its own.

In a test of your own::

    def test_my_embedder():
        check_embedder(Level, {})

Every check embeds real audio, and raises `AssertionError` with what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from audiogen_core.arrays import FloatArray
from audiogen_core.downloads import unreported
from audiogen_core.interfaces.embedder import Embedder
from audiogen_core.options import validate
from audiogen_core.testing.encoders import tones


def check_embedder(plugin: type[Embedder], options: Mapping[str, Any]) -> None:
    """Embeds audio of several lengths in blocks of several lengths, on the CPU.

    Args:
        plugin: The class.
        options: What ``--set`` gives it.
    """
    embedder = plugin(validate(plugin.Options, dict(options)))
    embedder.load(torch.device("cpu"), unreported)
    rate, channels = embedder.sample_rate, embedder.channels
    assert rate > 0, f"sample_rate is {rate!r} once it is loaded"
    assert channels in {1, 2}, f"channels must be 1 or 2, not {channels!r}"
    made = {seconds: _made(embedder, tones(seconds, rate, channels)) for seconds in (1e-9, 0.5, 3)}
    widths = {one.shape[1] for one in made.values()}
    assert len(widths) == 1, f"rows have {sorted(widths)} numbers, by the length of the audio"
    counts = [len(one) for one in made.values()]
    assert counts == sorted(counts), f"longer audio has fewer rows: {counts}"
    silence = _made(embedder, np.zeros((channels, rate), np.float32))
    assert not np.array_equal(silence[0], made[3][0]), "silence is embedded as tones are"
    again = _made(embedder, tones(3, rate, channels), block=997)
    assert again.shape == made[3].shape, "the number of rows depends on how audio is cut in blocks"
    assert np.allclose(again, made[3], atol=1e-4), "rows depend on how audio is cut into blocks"


def _made(embedder: Embedder, audio: FloatArray, block: int = 1 << 16) -> FloatArray:
    """All rows of audio, each of them looked at."""
    given = audio.copy()
    rows = list(embedder.embed(_blocks(given, block)))
    what = f"{audio.shape[1]} samples"
    assert rows, f"{what} became no row"
    for one in rows:
        assert one.ndim == 2, f"{what} became rows of shape {list(one.shape)}"
        assert np.isfinite(one).all(), f"{what} became NaN or infinity"
    assert np.array_equal(given, audio), f"{what} were changed"
    return np.concatenate(rows)


def _blocks(audio: FloatArray, length: int) -> Iterator[FloatArray]:
    for start in range(0, audio.shape[1], length):
        yield audio[:, start : start + length]
