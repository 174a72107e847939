"""The executor that a run has by itself: this process makes one batch after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from audiogen_core.batching import Batch
from audiogen_core.interfaces.executor import Event, Executor, Finished, Made
from audiogen_core.interfaces.observer import Observer
from audiogen_core.making import foresee, make_batch
from audiogen_core.memory import batch_limit, give_back
from audiogen_core.settings import Settings

if TYPE_CHECKING:
    from audiogen_core.prepare import Planned


class Local(Executor):
    """Makes one batch after the other in the process of the command itself."""

    NAME = "local"

    def start(self, planned: Planned, observer: Observer) -> None:
        """Loads the model for this run alone, unless it is loaded."""
        self._model, self._observer = planned.model, observer
        self._submitted: tuple[int, Batch] | None = None
        if self._model.device.type == "meta":
            wanted = planned.request.wanted
            wanted.load(self._model, observer, encodes=planned.plan.encodes)
            foresee(self._model, planned.plan.jobs)
            give_back()

    def batch_limit(self, settings: Settings) -> int:
        """By the memory that is free."""
        return batch_limit(self._model, settings)

    def room(self) -> int:
        """One batch, which is made when somebody asks what has become of it."""
        return int(self._submitted is None)

    def submit(self, ticket: int, batch: Batch) -> None:
        """Keeps the batch."""
        self._submitted = ticket, batch

    def events(self, seconds: float) -> Iterator[Event]:
        """Makes the batch; the observers are told of it meanwhile."""
        del seconds
        if self._submitted is None:
            return
        ticket, batch = self._submitted
        for part, index, made in make_batch(self._model, batch, self._observer):
            yield Made(ticket, part, index, made)
        self._submitted = None
        yield Finished(ticket)

    def stop(self) -> None:
        """There is nothing to end."""
