"""Gives the batches of a run to an executor, and again what its lost workers did not make.

A batch that is lost with a worker is made again as it was, and so with the same bits: rounding
depends on who is sampled together. One that has lost `STRIKES` workers is taken to end them itself.
Its halves are made, and the halves of one that ends another: what ends every process that makes it
is found without its neighbours, and given up when it has ended as many workers alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from audiogen_core.batching import Batch
from audiogen_core.executing.worker import Part
from audiogen_core.interfaces.executor import Event, Executor, Finished, Lost, Made, Started
from audiogen_core.interfaces.observer import Observer
from audiogen_core.worklist import WorkList

SECONDS_BETWEEN_LOOKS = 0.5
"""So long it is waited where there is nothing to do but to wait for others."""

SECONDS_UNTIL_SAID = 6.0
"""After so long it is said that others are waited for."""

STRIKES = 3
"""With so many lost workers a batch is halved, and an output that is alone in its own given up.

Three, for where workers are killed often, one batch loses two by accident. An output that ends
every worker costs ``2 * STRIKES`` of them, and one more for each halving but the first.
"""


@dataclass
class _Claimed:
    """A batch as the work list gave it, and how many parts of it are on their way."""

    batch: Batch
    parts: int = 0


@dataclass
class _Task:
    """A batch, or a part of one, that is to be made.

    Attributes:
        whole: What it is part of.
        batch: What to make.
        strikes: How many workers were lost with it, or with what it is a half of; an output that
            is alone for the first time begins anew, for it may not have been to blame.
        made: Which outputs have come.
    """

    whole: _Claimed
    batch: Batch
    strikes: int = 0
    made: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.whole.parts += 1


class Dispatch:
    """The batches of a run on their way.

    Args:
        work: The batches.
        executor: Who makes them; it has started.
        observer: Is told which are being made.
        done: Is told of each batch as soon as the last of its outputs has been given out.
    """

    def __init__(
        self,
        work: WorkList,
        executor: Executor,
        observer: Observer,
        done: Callable[[Batch], object],
    ) -> None:
        self._work = work
        self._executor = executor
        self._observer = observer
        self._done = done
        self._tickets = count()
        self._running: dict[int, _Task] = {}
        self._again: deque[_Task] = deque()
        self._idle_since: float | None = None
        self._said = False

    def outputs(self) -> Iterator[Part | None]:
        """Every output that is left, as it is made, and now and then None, meanwhile.

        Raises:
            OSError: The output folder cannot be written.
            AudiogenError: There are no workers any more.
        """
        while True:
            self._submit()
            busy = bool(self._running or self._again)
            if self._work.over and not busy:
                return
            # Without room there are no workers, and only who asks for events gets new ones.
            if busy or self._executor.room() <= 0:
                self._idle_since = None
                for event in self._executor.events(SECONDS_BETWEEN_LOOKS):
                    yield from self._hear(event)
            else:
                self._wait_for_others()
            yield None

    def _wait_for_others(self) -> None:
        """Lets other processes go on, which hold all that is left; says so once, after a while."""
        if self._idle_since is None:
            self._idle_since, self._said = time.monotonic(), False
        elif not self._said and time.monotonic() >= self._idle_since + SECONDS_UNTIL_SAID:
            self._said, number = True, self._work.elsewhere()
            what = f"{number} output{'s' * (number != 1)}"
            self._observer.stage(f"waiting for {what} that another run is making")
        self._observer.waiting()
        time.sleep(SECONDS_BETWEEN_LOOKS)

    def _submit(self) -> None:
        while self._executor.room() > 0 and (task := self._next()) is not None:
            ticket = next(self._tickets)
            self._running[ticket] = task
            self._executor.submit(ticket, task.batch)

    def _next(self) -> _Task | None:
        if self._again:
            return self._again.popleft()
        batch = self._work.take()
        return None if batch is None else _Task(_Claimed(batch), batch)

    def _hear(self, event: Event) -> Iterator[Part]:
        task = self._running[event.ticket]
        match event:
            case Started():
                jobs = [job for job in task.batch.jobs if job.index in task.batch.wanted]
                self._observer.batch_started(jobs)
            case Made(_, batch, index, made):
                task.made.add(batch.jobs[index].index)
                yield batch, index, made
            case Finished():
                del self._running[event.ticket]
                self._end(task)
            case Lost(_, blamed, cause):
                del self._running[event.ticket]
                yield from self._lost(task, blamed, cause)

    def _lost(self, task: _Task, blamed: bool, cause: str) -> Iterator[Part]:
        """Lets what was lost be made again, in halves where it is to blame, or gives it up."""
        strikes = task.strikes + blamed
        left = Batch(task.batch.jobs, task.batch.wanted - task.made)
        if not left.wanted:
            pass  # its last output had come before the worker was lost
        elif not blamed or strikes < STRIKES:
            self._again.append(_Task(task.whole, left, strikes))
        elif len(left.jobs) > 1:
            for half in left.halves():
                alone = len(half.jobs) == 1
                self._again.append(_Task(task.whole, half, 0 if alone else strikes))
        else:
            yield left, 0, f"{cause}, {strikes} times"
        self._end(task)

    def _end(self, task: _Task) -> None:
        task.whole.parts -= 1
        if not task.whole.parts:
            self._done(task.whole.batch)
