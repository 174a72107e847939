"""What of a run is left to do, in batches that one process at a time works on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence

from audiogen_core.batching import Batch, make_batches
from audiogen_core.compact import Indexes
from audiogen_core.identity import digest
from audiogen_core.jobs import Job
from audiogen_core.names import same_name
from audiogen_core.on_existing import OnExisting
from audiogen_core.outcome import Outcome
from audiogen_core.prepare import Prepared
from audiogen_core.runfolder.folder import OpenFolder
from audiogen_core.settings import Settings
from audiogen_core.standing import State

SECONDS_BETWEEN_LOOKS = 0.5


class WorkList:
    """The batches of a run that hold something to make.

    Batches are made of all outputs of the plan, those that are done too: an output is sampled in
    the same company whenever it is made, and so is the same to the last bit.

    Args:
        prepared: The run, its model loaded.
        folder: Its output folder, open.
        outcome: Is told of outputs that other processes have made meanwhile.
        fail: Is told of outputs whose names other runs have given away meanwhile, and why.
    """

    def __init__(
        self,
        prepared: Prepared,
        folder: OpenFolder,
        outcome: Outcome,
        fail: Callable[[Job, str], None],
    ) -> None:
        self._prepared = prepared
        self._folder = folder
        self._outcome = outcome
        self._fail = fail
        self._left = Indexes(prepared.left)

    def batches(self) -> Iterator[Batch]:
        """Each batch, held for this process until the next is asked for.

        Raises:
            OSError: The output folder cannot be written.
        """
        jobs = self._prepared.plan.jobs
        waiting: Sequence[Batch] = make_batches(jobs, self._limit)
        while waiting:
            held_elsewhere: list[Batch] = []
            before = len(self._left)
            for batch in waiting:
                mine = [job for job in batch.jobs if job.index in self._left]
                claims = [_claim_name(job) for job in mine]
                if not mine:
                    continue
                if not self._folder.claims.claim(claims):
                    held_elsewhere.append(batch)
                    continue
                try:
                    self._see_what_was_done(mine)
                    if wanted := frozenset(job.index for job in mine if job.index in self._left):
                        yield Batch(batch.jobs, wanted)
                    for index in wanted:
                        self._left.discard(index)
                finally:
                    self._folder.claims.release(claims)
            waiting = held_elsewhere
            if waiting and len(self._left) == before:
                time.sleep(SECONDS_BETWEEN_LOOKS)

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
        return self._folder.fixed_limit(digest(content)[:16], self._prepared.batch_limit(settings))


def _claim_name(job: Job) -> str:
    """By the file's name, for two runs may want different things under the same."""
    return hashlib.sha256(same_name(job.stem).encode()).hexdigest()[:32]
