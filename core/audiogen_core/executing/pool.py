"""What executors with workers have in common: who gets which batch, and who is replaced."""

from __future__ import annotations

import queue
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Protocol

from audiogen_core.batching import Batch
from audiogen_core.errors import EXIT_USAGE, UsageError
from audiogen_core.interfaces.executor import (
    Event,
    Executor,
    Finished,
    Lost,
    WorkersLostError,
)
from audiogen_core.options import PluginOptions
from audiogen_core.settings import Settings

if TYPE_CHECKING:
    from audiogen_core.executing.process import Answer

IN_FLIGHT = 2
"""Batches a worker: one that it makes, and one so that it need not wait for the next."""

LOST_IN_A_ROW = 3
"""After so many that ended before they were ready, none is replaced: it would end too."""


class Member(Protocol):
    """A worker of a pool, as the run sees it.

    Attributes:
        place: Which of the pool's it is, from 0; one that replaces it has the same.
        ready: Whether its model is loaded.
        cut_off: Whether it has ended through no fault of its own: another need not end too.
        tickets: Of the batches that it has, in the order in which it makes them.
    """

    place: int
    ready: bool
    cut_off: bool
    tickets: list[int]

    def tell(self, what: object) -> None:
        """Sends a message of `audiogen_core.executing.process`; never waits, nor fails."""

    def close(self) -> None:
        """Lets it end at once."""

    def end(self) -> str:
        """Waits for its end, and says what is known of it."""


class Pool(Executor):
    """Workers that each have loaded the model: a free one gets the next batch.

    What a worker answers is handed to `hear`, from any thread, and at last None: it has ended.
    """

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        self.members: list[Member] = []
        self._heard: queue.SimpleQueue[tuple[Member, Answer | None]] = queue.SimpleQueue()
        self._lost_in_a_row = 0
        self._cause = ""
        self._begun = False
        self._refused: dict[Member, str] = {}
        self._limits: deque[int] = deque()

    @abstractmethod
    def wanted(self) -> int:
        """How many workers there should be now; it is asked again and again, and may change."""

    @abstractmethod
    def member(self, place: int) -> Member:
        """Starts a worker; it need not be ready when this returns."""

    def hear(self, member: Member, answer: Answer | None) -> None:
        """Takes what a worker says, and None when it has ended."""
        self._heard.put((member, answer))

    def wait_for_one(self) -> None:
        """Returns when a worker is ready.

        Raises:
            AudiogenError: There will be none.
        """
        while not any(one.ready for one in self.members):
            list(self.events(1.0))  # nobody has a batch yet, and so there is none

    def batch_limit(self, settings: Settings) -> int:
        """What the first of the workers says; they are all of one kind."""
        asked: Member | None = None
        lost = 0
        while not self._limits:
            if asked not in self.members:
                lost += asked is not None and not asked.cut_off
                if lost == LOST_IN_A_ROW:
                    raise WorkersLostError(
                        f"each worker ends that is asked how large batches are: {self._cause}"
                    )
                asked = next((one for one in self.members if one.ready), None)
                if asked is not None:
                    asked.tell(settings)
            list(self.events(1.0))
        return self._limits.popleft()

    def room(self) -> int:
        """Up to two batches for each worker that is ready."""
        return sum(IN_FLIGHT - len(one.tickets) for one in self.members if one.ready)

    def submit(self, ticket: int, batch: Batch) -> None:
        """Gives it to the worker that has the least to do."""
        ready = [one for one in self.members if one.ready]
        worker = min(ready, key=lambda one: len(one.tickets))
        worker.tickets.append(ticket)
        worker.tell((ticket, batch))

    def events(self, seconds: float) -> Iterator[Event]:
        """What workers have said; one that has ended is replaced."""
        from audiogen_core.executing.process import Limit, Ready, Refused

        self._fill()
        try:
            worker, answer = self._heard.get(timeout=seconds)
        except queue.Empty:
            return
        match answer:
            case None:
                yield from self._left(worker)
            case Ready():
                worker.ready = self._begun = True
                self._lost_in_a_row = 0
            case Refused(cause, code):
                usage = code == EXIT_USAGE
                # What is wrong with a request from the beginning is wrong for all.
                if self.members == [worker] or (usage and not self._begun):
                    raise (UsageError if usage else WorkersLostError)(cause)
                self._refused[worker] = cause  # it ends now, and others work or will
            case Limit(outputs):
                self._limits.append(outputs)
            case _:
                if isinstance(answer, Finished):
                    worker.tickets.remove(answer.ticket)
                yield answer

    def _fill(self) -> None:
        """Starts the workers that are lacking."""
        if self._lost_in_a_row >= LOST_IN_A_ROW:
            return
        taken = {one.place for one in self.members}
        free = (place for place in count() if place not in taken)
        for _ in range(self.wanted() - len(self.members)):
            try:
                self.members.append(self.member(next(free)))
            except OSError as error:
                why = f"no worker can be started: {error.strerror}"
                raise WorkersLostError(why) from error

    def _left(self, worker: Member) -> Iterator[Event]:
        """Tells what a worker had that has ended."""
        ended = worker.end()
        cause = self._cause = self._refused.pop(worker, ended)
        self.members.remove(worker)
        if not (worker.ready or worker.cut_off):
            self._lost_in_a_row += 1
        if self._lost_in_a_row >= LOST_IN_A_ROW and not self.members:
            raise WorkersLostError(f"no worker gets ready: {cause}")
        # It makes one after the other. That it had begun the first may have been lost with it.
        for place, ticket in enumerate(worker.tickets):
            yield Lost(ticket, blamed=place == 0, cause=cause)

    def stop(self) -> None:
        """Lets all of them end, in the midst of their work."""
        for member in self.members:
            member.close()
        for member in self.members:
            member.end()
