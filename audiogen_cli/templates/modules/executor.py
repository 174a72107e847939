"""The executor: it makes batches in a thread of this process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from pydantic import Field

from audiogen_core.executing.worker import Assignment, Part, Worker
from audiogen_core.interfaces.executor import Event, Executor, Finished, Made
from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from audiogen_core.batching import Batch
    from audiogen_core.interfaces.observer import Observer
    from audiogen_core.prepare import Planned
    from audiogen_core.settings import Settings


class MyPlugin(Executor):
    """Makes one batch after the other in a thread of this process."""

    NAME = "my-plugin"

    class Options(PluginOptions):
        """What ``--executor-option`` may give it."""

        in_flight: int = Field(2, ge=1, le=16, description="Batches that it holds at once.")

    options: Options

    def start(self, planned: Planned, observer: Observer) -> None:
        """Loads the model; the workers of a cluster would each load it where they are."""
        observer.stage("loading the model")
        self._worker = Worker(Assignment.of(planned))
        self._thread = ThreadPoolExecutor(1)
        self._running: dict[int, Future[list[Part]]] = {}

    def batch_limit(self, settings: Settings) -> int:
        """By the memory that is free."""
        return self._worker.batch_limit(settings)

    def room(self) -> int:
        """What is not held yet."""
        return self.options.in_flight - len(self._running)

    def submit(self, ticket: int, batch: Batch) -> None:
        """Gives it to the thread."""
        self._running[ticket] = self._thread.submit(lambda: list(self._worker.make(batch)))

    def events(self, seconds: float) -> Iterator[Event]:
        """What has been made since the last call."""
        wait(self._running.values(), seconds, FIRST_COMPLETED)
        for ticket in [key for key, one in self._running.items() if one.done()]:
            for batch, index, made in self._running.pop(ticket).result():
                yield Made(ticket, batch, index, made)
            yield Finished(ticket)

    def stop(self) -> None:
        """Begins nothing more."""
        if hasattr(self, "_thread"):
            self._thread.shutdown(cancel_futures=True)
