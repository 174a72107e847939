"""What of a run is left to do, in batches that one run at a time has."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator

from audiogen_core.batching import Batch, make_batches
from audiogen_core.compact import Indexes
from audiogen_core.identity import digest
from audiogen_core.interfaces.executor import Executor
from audiogen_core.interrupts import held_stop
from audiogen_core.job import Job
from audiogen_core.names import same_name
from audiogen_core.on_existing import OnExisting
from audiogen_core.outcome import Outcome
from audiogen_core.prepare import Prepared
from audiogen_core.runfolder.folder import OpenFolder
from audiogen_core.settings import Settings
from audiogen_core.standing import State


class WorkList:
    """The batches of a run that hold something to make.

    Batches are made of all outputs of the plan, those that are done too: an output is sampled in
    the same company whenever it is made, and so is the same to the last bit.

    Args:
        prepared: The run.
        folder: Its output folder, open.
        executor: Knows how many outputs can be sampled together.
        outcome: Is told of outputs that other processes have made meanwhile.
        fail: Is told of outputs whose names other runs have given away meanwhile, and why.
    """

    def __init__(
        self,
        prepared: Prepared,
        folder: OpenFolder,
        executor: Executor,
        outcome: Outcome,
        fail: Callable[[Job, str], None],
    ) -> None:
        self._prepared = prepared
        self._folder = folder
        self._executor = executor
        self._outcome = outcome
        self._fail = fail
        self._left = Indexes(prepared.left)
        self._batches = make_batches(prepared.plan.jobs, self._limit)
        self._next = 0
        self._elsewhere: deque[int] = deque()
        self._held: dict[frozenset[int], list[str]] = {}

    @property
    def over(self) -> bool:
        """Whether nothing is left to take."""
        return self._next == len(self._batches) and not self._elsewhere

    def elsewhere(self) -> int:
        """How many of the outputs that are left others held when they were looked at."""
        batches = (self._batches[number] for number in self._elsewhere)
        return sum(job.index in self._left for batch in batches for job in batch.jobs)

    def take(self) -> Batch | None:
        """A batch, held for this process until it is `done`.

        Returns:
            None where nothing is left, or other processes hold all that is.

        Raises:
            OSError: The output folder cannot be written.
        """
        for number in self._numbers():
            jobs = self._batches[number].jobs
            mine = [job for job in jobs if job.index in self._left]
            if not mine:
                continue
            with held_stop():  # a claim that nobody knows of would be waited for without end
                if not self._folder.claims.claim([claim_name(job) for job in mine]):
                    self._elsewhere.append(number)
                    continue
                wanted = self._still_wanted(mine)
            if wanted:
                return Batch(jobs, wanted)
        return None

    def _still_wanted(self, claimed: list[Job]) -> frozenset[int]:
        """Which of the outputs that were just claimed are to be made, and stay held."""
        wanted: frozenset[int] = frozenset()
        try:
            self._see_what_was_done(claimed)
            wanted = frozenset(job.index for job in claimed if job.index in self._left)
        finally:
            self._held[wanted] = [claim_name(job) for job in claimed]
            if not wanted:
                self._release(wanted)
        return wanted

    def _numbers(self) -> Iterator[int]:
        """Batches that were not looked at yet, and then once more those that others held."""
        while self._next < len(self._batches):
            self._next += 1
            yield self._next - 1
        for _ in range(len(self._elsewhere)):
            yield self._elsewhere.popleft()

    def done(self, batch: Batch) -> None:
        """Lets go of a batch that was taken: what of it could be made stands."""
        for index in batch.wanted:
            self._left.discard(index)
        self._release(batch.wanted)

    def close(self) -> None:
        """Lets go of all that was taken, however far it is."""
        for wanted in list(self._held):
            self._release(wanted)

    def _release(self, wanted: frozenset[int]) -> None:
        with held_stop():
            self._folder.claims.release(self._held.pop(wanted))

    def _see_what_was_done(self, jobs: list[Job]) -> None:
        standing = self._prepared.standing
        standing.look_again(jobs)
        for job in jobs:
            state = standing.state(job)
            if state is State.DONE:
                self._left.discard(job.index)
                self._outcome.made_elsewhere += 1
            elif state is State.FOREIGN and self._prepared.request.on_existing is not (
                OnExisting.OVERWRITE
            ):
                self._left.discard(job.index)
                self._fail(job, "another run has made a file of its name meanwhile")

    def _limit(self, settings: Settings) -> int:
        """How many outputs are sampled together: the same in every run of the folder."""
        if (asked := self._prepared.request.max_batch) is not None:
            return asked
        content = [settings.complete(0), settings.latents, self._prepared.identity]
        limit = self._executor.batch_limit(settings)
        return self._folder.fixed_limit(digest(content)[:16], limit)


def claim_name(job: Job) -> str:
    """What an output is claimed by: its file, for two runs may want different things there."""
    return hashlib.sha256(same_name(job.stem).encode()).hexdigest()[:32]
