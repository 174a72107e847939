"""Ending a run from another thread: at the next step of its sampler, or where it waits."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from audiogen_core.interfaces.observer import Observer
from audiogen_core.job import Job


class CancelledError(KeyboardInterrupt):
    """Ends a run as Ctrl-C does: no error of a sample, which the run would go on after."""


class Cancelling(Observer):
    """Raises `CancelledError` once an event is set.

    It looks before each batch, after each step, and while other runs make all that is left.

    Args:
        event: The event.
    """

    NAME = "cancelling"

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def batch_started(self, jobs: Sequence[Job]) -> None:
        """Looks at the event."""
        del jobs
        self._look()

    def step(self, done: int, total: int | None) -> None:
        """Looks at the event."""
        del done, total
        self._look()

    def waiting(self) -> None:
        """Looks at the event."""
        self._look()

    def _look(self) -> None:
        if self._event.is_set():
            raise CancelledError
