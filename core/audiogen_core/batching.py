"""Puts outputs together that can be sampled together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audiogen_core.jobs import Job
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
        """The job at its place, in company such as it had, but for the neighbours' seeds."""
        return tuple(
            replace(job, index=number, copy=0, values=self.others.get(number, job.values))
            for number in range(self.size)
        )


def make_batches(jobs: Sequence[Job], limit: Callable[[Settings], int]) -> list[Batch]:
    """Batches of as many samples as the limit allows.

    The outputs of one sample always stay together. Samples with the same settings go together
    wherever they stand; so where settings alternate, outputs are not made in their order.

    Args:
        jobs: The outputs of a run.
        limit: How many outputs of the same settings may be sampled together.
    """
    groups: dict[Settings, list[tuple[Job, ...]]] = {}
    for sample in _by_sample(jobs):
        groups.setdefault(sample[0].settings, []).append(sample)
    batches: list[Batch] = []
    for settings, samples in groups.items():
        most, current = limit(settings), samples[0]
        for sample in samples[1:]:
            if len(current) + len(sample) > most:
                batches.append(Batch.of(current))
                current = sample
            else:
                current += sample
        batches.append(Batch.of(current))
    return batches


def _by_sample(jobs: Sequence[Job]) -> list[tuple[Job, ...]]:
    found: dict[int, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.index - job.copy, []).append(job)
    return [tuple(one) for one in found.values()]
