"""Brownian paths are those of torchsde's trees, whatever is asked for before."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torchsde
from hypothesis import given
from hypothesis import strategies as st

from audiogen_core.diffusion.brownian import BrownianPath, grain

SHAPE = (2, 3)

ENDS = ((0.3, 500.0), (0.01, 80.0), (0.0291675, 14.614642), (1e-4, 1.0))


def single(number: float) -> float:
    """As schedules have it: in float32."""
    return float(torch.tensor(number))


def tree(start: float, end: float, seed: int) -> Any:
    """The library's path."""
    return torchsde.BrownianTree(
        torch.tensor(start), torch.zeros(SHAPE), torch.tensor(end), entropy=seed
    )


@st.composite
def queries(draw: st.DrawFn) -> tuple[tuple[float, float], list[tuple[float, float]]]:
    """The ends of a path, and intervals that are told apart: within it, beyond it, tiny ones."""
    start, end = map(single, draw(st.sampled_from(ENDS)))
    times = st.one_of(
        st.sampled_from([start, end, end * 1.01, start * 0.99]),
        st.floats(start, end, width=32),
        st.floats(0, 1).map(lambda share: single(start * (end / start) ** share)),
        st.floats(0, 1e-5).map(lambda more: single(start + more)),
    )
    pairs = draw(st.lists(st.tuples(times, times).map(sorted), min_size=1, max_size=12))
    # The library's search never ends between times that it does not tell apart.
    apart = [pair for pair in pairs if grain(max(pair[0], start)) < grain(min(pair[1], end))]
    return (start, end), [(first, last) for first, last in apart]


@given(queries(), st.integers(0, 2**63 - 1))
def test_the_numbers_are_the_librarys(
    asked: tuple[tuple[float, float], list[tuple[float, float]]], seed: int
) -> None:
    """To the last bit, in any order."""
    ends, intervals = asked
    ours, theirs = BrownianPath(*ends, SHAPE, seed), tree(*ends, seed)
    for first, last in intervals:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it remarks on times beyond the ends
            wanted = theirs(torch.tensor(first), torch.tensor(last))
        assert torch.equal(ours.increment(first, last), wanted)


def test_nothing_happens_in_no_time() -> None:
    """Nor beyond the ends."""
    path = BrownianPath(0.3, 500, SHAPE, 1)
    for first, last in ((1.0, 1.0), (1.0, 1.0000001), (600, 700), (0, 0.3)):
        assert torch.equal(path.increment(first, last), torch.zeros(SHAPE))


@pytest.mark.parametrize("times", [(3.0, 1.0), (1.0, float("nan"))])
def test_time_goes_on(times: tuple[float, float]) -> None:
    """A path is not followed backwards."""
    with pytest.raises(ValueError, match="from an earlier time to a later one"):
        BrownianPath(0.3, 500, SHAPE, 1).increment(*times)


def test_what_is_returned_can_be_changed() -> None:
    """The path keeps its own numbers."""
    path = BrownianPath(0.3, 500, SHAPE, 1)
    whole = path.increment(0.3, 500)
    kept = whole.clone()
    whole.zero_()
    assert torch.equal(path.increment(0.3, 500), kept)


LATE = """
import sys, threading, time
from audiogen_core import Generator

config, weights = (f"{sys.argv[1]}/{name}" for name in ("model_config.json", "model.safetensors"))
generator = Generator.load(device="cpu", model_config=config, ckpt_path=weights)
settings = {"generation.batch_size": 2}
made = generator.generate("a", sampler="dpmpp-3m-sde", steps=100, seed=1, settings=settings)
threading.Thread(target=lambda: print(len(list(made)), flush=True)).start()
"""


def test_the_main_thread_may_end_before(tiny_model: Path) -> None:
    """Threads of a script outlive it, and then no pool takes work any more."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", LATE, tiny_model], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "2\n", done.stderr


@pytest.mark.parametrize("seed", range(3))
def test_the_parts_are_the_whole(seed: int) -> None:
    """Increments add up, and their spread is that of a Brownian motion."""
    path = BrownianPath(0.3, 500, (20_000,), seed)
    times = [0.3, 0.7, 2.0, 10.0, 60.0, 500.0]
    parts = [path.increment(*pair) for pair in pairwise(times)]
    whole = path.increment(0.3, 500)
    assert torch.allclose(torch.stack(parts).sum(0), whole, atol=1e-3)
    for part, (first, last) in zip(parts, pairwise(times), strict=True):
        assert float(part.square().mean() / (last - first)) == pytest.approx(1, abs=0.05)
