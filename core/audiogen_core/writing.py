"""Encoding outputs while the next ones are made.

A thread encodes. The thread of the run puts each file in its place, tells the observers and keeps
the journal, which all want to be called from one thread; it does so between a sampler's steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from audiogen_core.interfaces.observer import Observer
from audiogen_core.interrupts import held_stop
from audiogen_core.output import Encoded

MOST_WAITING = 16
"""So many outputs at most are held between the model and the disk."""


@dataclass(frozen=True)
class _Waiting:
    """What comes in its turn.

    Attributes:
        then: What is to be done.
        encoded: Of what it has to wait for; None for nothing.
    """

    then: Callable[[], object]
    encoded: Future[Encoded] | None = None

    @property
    def is_due(self) -> bool:
        return self.encoded is None or self.encoded.done()


class Writer(Observer):
    """Encodes outputs in a thread, and finishes them in that of the run, in their order.

    As an observer it is told of the steps of a batch, which is when it finishes what is encoded.
    """

    NAME = "writer"

    def __init__(self) -> None:
        super().__init__()
        self._thread = ThreadPoolExecutor(1, "encoding")
        self._waiting: deque[_Waiting] = deque()
        self._error: Exception | None = None

    def put(
        self, encode: Callable[[], Encoded], finish: Callable[[Future[Encoded]], object]
    ) -> None:
        """Lets an output be encoded, and then be finished.

        Args:
            encode: Is called in the thread.
            finish: Is called in the thread of the run with what came of it.

        Raises:
            Exception: What finishing this output or one before it has raised.
        """
        encoded = self._thread.submit(encode)
        self._waiting.append(_Waiting(lambda: finish(encoded), encoded))
        while len(self._waiting) > MOST_WAITING:
            self._next()
        self.finish_due()

    def after(self, what: Callable[[], object]) -> None:
        """Calls something when all is finished that was put before.

        Raises:
            Exception: What that, or finishing an output, has raised.
        """
        self._waiting.append(_Waiting(what))
        self.finish_due()

    def finish_due(self) -> None:
        """Finishes what is encoded.

        Raises:
            Exception: What finishing one of them has raised.
        """
        while self._waiting and self._waiting[0].is_due:
            self._next()

    def step(self, done: int, total: int | None) -> None:
        """Finishes what is encoded. What that raises is raised when the batch is made."""
        del done, total
        try:
            self.finish_due()
        except Exception as error:
            self._error = error

    def finish(self) -> None:
        """Waits for all that was put.

        Raises:
            Exception: What finishing one of them has raised.
        """
        while self._waiting:
            self._next()

    def drop(self) -> None:
        """Removes what is not finished."""
        self._thread.shutdown(cancel_futures=True)
        for one in self._waiting:
            encoded = one.encoded
            if encoded is not None and not encoded.cancelled() and encoded.exception() is None:
                encoded.result().draft.drop()
        self._waiting.clear()

    def _next(self) -> None:
        if self._error is not None:
            raise self._error
        with held_stop():
            self._waiting.popleft().then()
