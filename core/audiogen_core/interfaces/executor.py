"""Executors: they decide where batches are made, and a run decides which.

A complete third-party executor::

    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
    from audiogen_core.executing.worker import Assignment, Part, Worker

    class Thread(Executor):
        '''Makes one batch after the other in a thread of this process.'''

        NAME = "thread"

        def start(self, planned: Planned, observer: Observer) -> None:
            self._worker = Worker(Assignment.of(planned))
            self._thread = ThreadPoolExecutor(1)
            self._running: dict[int, Future[list[Part]]] = {}

        def batch_limit(self, settings: Settings) -> int:
            return self._worker.batch_limit(settings)

        def room(self) -> int:
            return 2 - len(self._running)

        def submit(self, ticket: int, batch: Batch) -> None:
            self._running[ticket] = self._thread.submit(lambda: list(self._worker.make(batch)))

        def events(self, seconds: float) -> Iterator[Event]:
            wait(self._running.values(), seconds, FIRST_COMPLETED)
            for ticket in [key for key, one in self._running.items() if one.done()]:
                for batch, index, made in self._running.pop(ticket).result():
                    yield Made(ticket, batch, index, made)
                yield Finished(ticket)

        def stop(self) -> None:
            self._thread.shutdown(cancel_futures=True)

    @hookimpl
    def audiogen_executors(register):
        register("thread", Thread)

A run gives an executor batches, each with a ticket, and hears what becomes of them. It plans,
claims, encodes, writes and records outputs itself: an executor touches no output folder, and its
workers need no file system that they share with the run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.batching import Batch
from audiogen_core.errors import AudiogenError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.options import NoOptions, PluginOptions
from audiogen_core.settings import Settings

if TYPE_CHECKING:
    from audiogen_core.prepare import Planned


class WorkersLostError(AudiogenError):
    """There are no workers any more, and there will be none: the run ends, and can go on later."""


@dataclass(frozen=True)
class Started:
    """Work on a batch has begun.

    Attributes:
        ticket: Of the batch.
    """

    ticket: int


@dataclass(frozen=True)
class Made:
    """What became of one output of a batch.

    Attributes:
        ticket: Of the batch that was submitted.
        batch: What the output was sampled with: that batch, or a part of it.
        index: Its place in that.
        made: Its audio as the model made it, ``[channels, samples]``, or why there is none.
    """

    ticket: int
    batch: Batch
    index: int
    made: FloatArray | str


@dataclass(frozen=True)
class Finished:
    """Nothing more will come of a batch.

    Attributes:
        ticket: Of the batch.
    """

    ticket: int


@dataclass(frozen=True)
class Lost:
    """A worker was lost, and what it had not made is to be submitted again.

    Attributes:
        ticket: Of a batch that it had.
        blamed: Whether it was working on this batch, rather than had it waiting.
        cause: What is known of its end.
    """

    ticket: int
    blamed: bool
    cause: str


Event = Started | Made | Finished | Lost
"""What a run is told: for each ticket `Made` for each wanted output, and `Finished`; or `Lost`."""


class Executor(ABC):
    """Makes batches somewhere.

    Attributes:
        NAME: What ``--executor`` calls it.
        Options: What ``--executor-option`` may give it.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    @abstractmethod
    def start(self, planned: Planned, observer: Observer) -> None:
        """Gets ready: returns when at least one worker has loaded the model. Called once.

        Everything that can be checked without weights has been; nothing is written yet.

        Args:
            planned: What is to be made. Its model may be loaded already, and need not be loaded
                where others do the work.
            observer: Is told how it goes.

        Raises:
            AudiogenError: The model cannot be had, or there can be no worker.
        """

    @abstractmethod
    def batch_limit(self, settings: Settings) -> int:
        """How many outputs with these settings a worker can sample together, at least 1."""

    @abstractmethod
    def room(self) -> int:
        """How many more batches it takes now: enough to keep its workers busy, and not more."""

    @abstractmethod
    def submit(self, ticket: int, batch: Batch) -> None:
        """Takes a batch; called only where there is room.

        Args:
            ticket: What the batch is called in events; none is used twice.
            batch: What to make.
        """

    @abstractmethod
    def events(self, seconds: float) -> Iterator[Event]:
        """What has happened since the last call, in its order.

        Args:
            seconds: How long to wait, about, where nothing has happened; then there is no event.

        Raises:
            WorkersLostError: There are no workers any more, and there will be none.
        """

    @abstractmethod
    def stop(self) -> None:
        """Ends all work at once, however far it is. Called once, also when `start` has raised."""
