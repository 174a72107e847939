"""The jobs of a run, packed: a million of them take a tenth of the memory that objects would."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import overload

from audiogen_core.job import Job
from audiogen_core.settings import Settings

PAGE = 256
"""How many jobs are packed together."""

PAGES_AT_HAND = 4
"""How many unpacked pages are kept: whoever goes through a list needs one."""


class JobList(Sequence[Job]):
    """Jobs in their order: added one by one, packed by the page, and unpacked where they are read.

    Args:
        jobs: The first of them.
    """

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._pages: list[bytes] = []
        self._last: list[Job] = []
        self._settings: dict[Settings, int] = {}
        self._unpacked = lru_cache(PAGES_AT_HAND)(self._unpack)
        for job in jobs:
            self.append(job)

    def append(self, job: Job) -> None:
        """Adds a job."""
        self._last.append(job)
        if len(self._last) == PAGE:
            self._pages.append(self._packed())
            self._last = []

    def __len__(self) -> int:
        return PAGE * len(self._pages) + len(self._last)

    @overload
    def __getitem__(self, index: int) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> JobList: ...
    def __getitem__(self, index: int | slice) -> Job | JobList:
        """A job; or of a slice, a list of its own."""
        if isinstance(index, slice):
            return JobList(self[one] for one in range(*index.indices(len(self))))
        place = range(len(self))[index]
        return self._page(place // PAGE)[place % PAGE]

    def __iter__(self) -> Iterator[Job]:
        for number in range(len(self._pages) + 1):
            yield from self._page(number)

    def _page(self, number: int) -> Sequence[Job]:
        return self._last if number == len(self._pages) else self._unpacked(number)

    def _packed(self) -> bytes:
        numbers = self._settings
        rows = [
            (
                one.index, one.copy, one.where, one.values, one.seed, one.stem,
                numbers.setdefault(one.settings, len(numbers)), one.identity,
            )
            for one in self._last
        ]  # fmt: skip
        return zlib.compress(pickle.dumps(rows, pickle.HIGHEST_PROTOCOL), 1)

    def _unpack(self, number: int) -> Sequence[Job]:
        settings = list(self._settings)
        rows = pickle.loads(zlib.decompress(self._pages[number]))  # noqa: S301, it is our own
        return [
            Job(index, copy, where, values, seed, stem, settings[kind], identity)
            for index, copy, where, values, seed, stem, kind, identity in rows
        ]
