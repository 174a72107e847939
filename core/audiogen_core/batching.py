"""Puts outputs together that can be sampled together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audiogen_core.jobs import Job
from audiogen_core.settings import Settings


@dataclass(frozen=True)
class Batch:
    """Outputs that are sampled together: whole samples with the same settings."""

    jobs: tuple[Job, ...]

    @property
    def settings(self) -> Settings:
        """Those of every output."""
        return self.jobs[0].settings

    def samples(self) -> list[Batch]:
        """A batch for each sample."""
        return [Batch(jobs) for jobs in _by_sample(self.jobs)]


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
                batches.append(Batch(current))
                current = sample
            else:
                current += sample
        batches.append(Batch(current))
    return batches


def _by_sample(jobs: Sequence[Job]) -> list[tuple[Job, ...]]:
    found: dict[int, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.index - job.copy, []).append(job)
    return [tuple(one) for one in found.values()]
