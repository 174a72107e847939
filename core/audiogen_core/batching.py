"""Puts outputs together that can be sampled together."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from audiogen_core.job import Job
from audiogen_core.recordings import FILES, MASK
from audiogen_core.settings import Settings


@dataclass(frozen=True)
class Batch:
    """Outputs that are sampled together: whole samples with the same settings.

    Attributes:
        jobs: The outputs.
        wanted: The indexes of those that are wanted; the others are done, and only keep company.
    """

    jobs: tuple[Job, ...]
    wanted: frozenset[int]

    @classmethod
    def of(cls, jobs: tuple[Job, ...]) -> Batch:
        """A batch of outputs that are all wanted."""
        return cls(jobs, frozenset(job.index for job in jobs))

    @property
    def settings(self) -> Settings:
        """Those of every output."""
        return self.jobs[0].settings

    def samples(self) -> list[Batch]:
        """A batch for each sample that holds something wanted."""
        return self._parts(_by_sample(self.jobs))

    def halves(self) -> list[Batch]:
        """The two halves, or what of them holds something wanted."""
        middle = len(self.jobs) // 2
        return self._parts([self.jobs[:middle], self.jobs[middle:]])

    def _parts(self, parts: list[tuple[Job, ...]]) -> list[Batch]:
        batches = [Batch(jobs, self.wanted & {job.index for job in jobs}) for jobs in parts]
        return [batch for batch in batches if batch.wanted]


@dataclass(frozen=True)
class Place:
    """Where an output stood among those that it was sampled with.

    A sample does not depend on its neighbours, but its rounding does: on their number, on which of
    them it is, and on how long their prompts are.

    Attributes:
        size: How many were sampled together.
        index: Which of them it was, from 0.
        others: The conditioning of those at other places that had not the same as it.
    """

    size: int
    index: int
    others: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Batch, index: int) -> Place:
        """The place of an output of a batch."""
        own = batch.jobs[index].values
        values = {number: job.values for number, job in enumerate(batch.jobs)}
        others = {number: one for number, one in values.items() if one != own}
        return cls(len(batch.jobs), index, others)

    def fill(self, job: Job) -> tuple[Job, ...]:
        """The job at its place, in company such as it had, but for the neighbours' seeds.

        Of recordings the neighbours get the job's own, or like it none: theirs need not be there
        any more, nor the encoder that they need, and what they hold rounds nothing of the job's.
        """
        recordings = (*FILES, MASK)
        own = {key: job.values[key] for key in recordings if key in job.values}

        def values(number: int) -> Mapping[str, Any]:
            if number not in self.others:
                return job.values
            other = self.others[number]
            return {**{key: other[key] for key in other if key not in recordings}, **own}

        return tuple(
            replace(job, index=number, copy=0, values=values(number)) for number in range(self.size)
        )


class Batches(Sequence[Batch]):
    """Batches, put together where they are read: those of a million outputs are not kept.

    Args:
        jobs: The outputs of a run.
        places: Where they stand among the jobs, in the order of the batches.
        ends: Where among the places each batch ends.
    """

    def __init__(self, jobs: Sequence[Job], places: array[int], ends: array[int]) -> None:
        self._jobs = jobs
        self._places = places
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, number: int) -> Batch: ...
    @overload
    def __getitem__(self, number: slice) -> list[Batch]: ...
    def __getitem__(self, number: int | slice) -> Batch | list[Batch]:
        """A batch; or of a slice, those in it."""
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        start = self._ends[number - 1] if number else 0
        places = self._places[start : self._ends[number]]
        return Batch.of(tuple(self._jobs[place] for place in places))


def make_batches(jobs: Sequence[Job], limit: Callable[[Settings], int]) -> Batches:
    """Batches of as many samples as the limit allows.

    The outputs of one sample always stay together. Samples with the same settings go together
    wherever they stand; so where settings alternate, outputs are not made in their order.

    Args:
        jobs: The outputs of a run.
        limit: How many outputs of the same settings may be sampled together.
    """
    groups: dict[Settings, _Group] = {}
    for place, job in enumerate(jobs):
        if (group := groups.get(job.settings)) is None:
            group = groups[job.settings] = _Group(limit(job.settings))
        group.add(place, job)
    places, ends = array("I"), array("I")
    for group in groups.values():
        group.close()
        ends.extend(len(places) + end for end in group.ends)
        places.extend(group.places)
    return Batches(jobs, places, ends)


class _Group:
    """The outputs with the same settings, divided as they come.

    Args:
        most: How many may be sampled together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.places = array("I")
        self.ends = array("I")
        self._sample: int | None = None
        self._sample_start = 0
        self._batch_start = 0

    def add(self, place: int, job: Job) -> None:
        """Adds an output, after the others of its sample."""
        if job.index - job.copy != self._sample:
            self._end_sample()
            self._sample = job.index - job.copy
        self.places.append(place)

    def close(self) -> None:
        """Ends the last batch."""
        self._end_sample()
        self.ends.append(len(self.places))

    def _end_sample(self) -> None:
        """Begins a batch with the last sample where the one before has no room for it."""
        is_first = self._sample_start == self._batch_start
        if not is_first and len(self.places) - self._batch_start > self._most:
            self.ends.append(self._sample_start)
            self._batch_start = self._sample_start
        self._sample_start = len(self.places)


def _by_sample(jobs: Sequence[Job]) -> list[tuple[Job, ...]]:
    found: dict[int, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.index - job.copy, []).append(job)
    return [tuple(one) for one in found.values()]
