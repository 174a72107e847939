"""Numbers by the million in a few bytes each, where Python's own sets take a hundred.

A plan of a million outputs knows which names and seeds are taken, and which outputs are left. Names
are told apart by 64 bits of a hash. Two that share them by chance, one in thirty million plans of a
million, are taken for the same: then one is numbered that need not be.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Set

_FIRST_SLOTS = 1024


def hash64(data: bytes) -> int:
    """64 bits of a hash, the same in every process; never 0."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") or 1


class Tally:
    """How often each key was counted: a hash table in two arrays, of 12 bytes a slot.

    Keys are from 1 to 2^64 - 1, and hashes themselves: nearly all differ in their lowest bits.
    """

    def __init__(self) -> None:
        self._resize(_FIRST_SLOTS)
        self._used = 0

    def __getitem__(self, key: int) -> int:
        """How often a key was counted."""
        return self._counts[self._slot(key)]

    def __setitem__(self, key: int, count: int) -> None:
        slot = self._slot(key)
        self._counts[slot] = count
        if not self._keys[slot]:
            self._keys[slot] = key
            self._used += 1
            if 3 * self._used > 2 * self._mask:
                self._grow()

    def count(self, key: int) -> int:
        """Counts a key once more, and says how often it had been counted before."""
        slot = self._slot(key)
        before = self._counts[slot]
        if before:
            self._counts[slot] = before + 1
        else:
            self[key] = 1
        return before

    def _slot(self, key: int) -> int:
        keys, mask = self._keys, self._mask
        slot = key & mask
        while (found := keys[slot]) and found != key:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        keys, counts = self._keys, self._counts
        self._resize(2 * len(keys))
        for key, count in zip(keys, counts, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot] = key
                self._counts[slot] = count

    def _resize(self, slots: int) -> None:
        self._keys = array("Q", bytes(8 * slots))
        self._counts = array("I", bytes(4 * slots))
        self._mask = slots - 1


class Indexes(Set[int]):
    """A set of indexes from 0, of a byte for each up to the highest."""

    def __init__(self, indexes: Iterable[int] = ()) -> None:
        self._marks = bytearray()
        self._count = 0
        for index in indexes:
            self.add(index)

    def add(self, index: int) -> None:
        """Takes an index in."""
        if index >= len(self._marks):
            self._marks.extend(bytes(index + 1 - len(self._marks)))
        self._count += not self._marks[index]
        self._marks[index] = 1

    def discard(self, index: int) -> None:
        """Takes an index out, if it is in."""
        if index in self:
            self._marks[index] = 0
            self._count -= 1

    def __contains__(self, index: object) -> bool:
        marks = self._marks
        return isinstance(index, int) and 0 <= index < len(marks) and bool(marks[index])

    def __iter__(self) -> Iterator[int]:
        """The indexes in their order."""
        return (index for index, mark in enumerate(self._marks) if mark)

    def __len__(self) -> int:
        return self._count
