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


@dataclass(frozen=True)
class _Waiting:
    """What comes in its turn.

    Attributes:
        then: What is to be done.
        encoded: What it waits for; None at the end of a batch, which waits for nothing more.
    """

    then: Callable[[], object]
    encoded: Future[Encoded] | None = None

    @property
    def is_due(self) -> bool:
        return self.encoded is None or self.encoded.done()


class Writer(Observer):
    """Encodes outputs in a thread, and finishes them in that of the run, in their order.

    As an observer it is told of the steps of a batch, which is when it finishes what is encoded,
    and of its decoding, before which it finishes all: no second batch is ever whole and not yet
    written, so that a process that is killed has made no more than one in vain.

    A request to stop is held back while it finishes something.
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
            Exception: What finishing one before it has raised.
        """
        if self._error is not None:
            raise self._error
        with held_stop():  # nothing is encoded that is not known to wait
            encoded = self._thread.submit(encode)
            self._waiting.append(_Waiting(lambda: finish(encoded), encoded))

    def end_batch(self, then: Callable[[], object]) -> None:
        """Calls something when all is finished that was put before.

        The batches before are finished at once: where outputs are made faster than they are
        encoded, no more waits than this batch and what is there of others.

        Raises:
            Exception: What that, or finishing an output, has raised.
        """
        self._finish_while(lambda: any(one.encoded is None for one in self._waiting))
        self._waiting.append(_Waiting(then))
        self.finish_due()

    def finish_due(self) -> None:
        """Finishes what is encoded.

        Raises:
            Exception: What finishing one of them has raised.
        """
        self._finish_while(lambda: self._waiting[0].is_due)

    def finish(self) -> None:
        """Waits for all that was put.

        Raises:
            Exception: What finishing one of them has raised.
        """
        self._finish_while(lambda: True)

    def step(self, done: int, total: int | None) -> None:
        """Finishes what is encoded. What that raises is raised when the batch is made."""
        del done, total
        self._amid_a_batch(self.finish_due)

    def stage(self, what: str) -> None:
        """Finishes all, for a batch is to be decoded; errors as in `step`."""
        del what
        self._amid_a_batch(self.finish)

    def close(self) -> None:
        """Ends the thread, and removes what is not finished."""
        with held_stop():
            self._thread.shutdown(cancel_futures=True)
            for one in self._waiting:
                encoded = one.encoded
                if encoded is not None and not encoded.cancelled() and encoded.exception() is None:
                    encoded.result().draft.drop()
            self._waiting.clear()

    def _amid_a_batch(self, finish: Callable[[], None]) -> None:
        try:
            finish()
        except Exception as error:  # raised here, it would only be said that an observer failed
            self._error = error

    def _finish_while(self, wanted: Callable[[], bool]) -> None:
        if self._error is not None:
            raise self._error
        with held_stop():
            while self._waiting and wanted():
                self._waiting.popleft().then()
