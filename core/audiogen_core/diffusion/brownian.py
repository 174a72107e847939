"""Brownian paths: the same increments whatever other ones are asked for, from one seed.

A path is drawn as a tree of Brownian bridges: the increment of an interval is divided at its middle
by a normal number of that place's own seed, down to intervals of a millionth.
The numbers are those of the BrownianTree of Li, Wong, Chen and Duvenaud (2020), "Scalable gradients
for stochastic differential equations", arXiv:2001.01328, as the library torchsde draws them, with
which public models were tuned. That library draws most numbers twice and spends as long again on
finding its way through the tree; here a level costs one drawing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiogen_core.arrays import FloatArray

DIGITS = 6
"""Of the times that are told apart: multiples of a millionth."""

POOL_SIZE = 24
"""Of the seeds' mixing: another number gives other seeds."""


@dataclass(frozen=True)
class _Interval:
    """A node of the tree: its ends, its place on its level, and the path's increment over it."""

    start: float
    end: float
    depth: int
    place: int
    increment: FloatArray


class BrownianPath:
    """One path over an interval of times.

    All arithmetic stays on the thread that asks: of torch's, each would start others.

    Args:
        start: The first time.
        end: The last time, after it.
        shape: Of the path's values.
        seed: At least 0.
    """

    def __init__(self, start: float, end: float, shape: tuple[int, ...], seed: int) -> None:
        self._shape = shape
        self._seed = seed
        whole = self._normal(()) * math.sqrt(end - start)
        self._whole = _Interval(grain(start), grain(end), 0, 0, whole)
        # What the latest increment needed, by level and place: the next one needs most of it.
        self._lefts: dict[tuple[int, int], FloatArray] = {}
        self._needed: dict[tuple[int, int], FloatArray] = {}

    def increment(self, first: float, last: float) -> Tensor:
        """The path's difference between two times; beyond its ends it does not move.

        Args:
            first: A time.
            last: A time that is not before it.

        Returns:
            Of the path's shape, float32, on the CPU.

        Raises:
            ValueError: The second is before the first, or one of them is no number.
        """
        low, high = self._whole.start, self._whole.end
        first, last = (grain(min(max(time, low), high)) for time in (first, last))
        if not first <= last:
            raise ValueError(
                f"a path goes from an earlier time to a later one, not {first}, {last}"
            )
        total = np.zeros(self._shape, dtype=np.float32)
        if first < last:
            self._needed = {}
            pieces = self._pieces(self._whole, first, last)
            total = next(pieces).increment.copy()
            for piece in pieces:
                total += piece.increment
            self._lefts = self._needed
        return torch.from_numpy(total)

    def _pieces(self, node: _Interval, first: float, last: float) -> Iterator[_Interval]:
        """The largest intervals that lie between two times within one, in their order."""
        if (first, last) == (node.start, node.end):
            yield node
            return
        middle = grain(0.5 * (node.end + node.start))
        left = self._left(node, middle)
        if first < middle:
            half = _Interval(node.start, middle, node.depth + 1, 2 * node.place, left)
            yield from self._pieces(half, first, min(last, middle))
        if last > middle:
            right = node.increment - left
            half = _Interval(middle, node.end, node.depth + 1, 2 * node.place + 1, right)
            yield from self._pieces(half, max(first, middle), last)

    def _left(self, node: _Interval, middle: float) -> FloatArray:
        """The increment over an interval's first half: half of its own, and what is drawn."""
        key = (node.place, node.depth)
        found = self._lefts.get(key)
        if found is None:
            before, after = middle - node.start, node.end - middle
            share = 1 / (node.end - node.start)
            drawn = self._normal(key)
            drawn *= math.sqrt(before * after * share)
            found = before * node.increment
            found *= share
            found += drawn
        self._needed[key] = found
        return found

    def _normal(self, key: tuple[int, ...]) -> FloatArray:
        """The numbers that belong to a place of the tree; to the whole without one."""
        mixed = np.random.SeedSequence(self._seed, spawn_key=key, pool_size=POOL_SIZE)
        seed = int(mixed.generate_state(1)[0])
        drawn = torch.randn(self._shape, generator=torch.Generator().manual_seed(seed))
        return drawn.numpy()


def grain(time: float) -> float:
    """The time as far as times are told apart."""
    return round(time, DIGITS)
