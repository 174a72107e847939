"""Worker processes on this machine, each with the model of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from audiogen_core.executing.child import Child
from audiogen_core.executing.pool import Member, Pool
from audiogen_core.interfaces.observer import Observer
from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from audiogen_core.executing.process import Answer
    from audiogen_core.executing.worker import Assignment
    from audiogen_core.prepare import Planned


class Processes(Pool):
    """Worker processes on this machine: one for each GPU, or as many as are wanted."""

    NAME = "processes"

    class Options(PluginOptions):
        """What ``--executor-option`` may give it."""

        workers: int | None = Field(
            None,
            ge=1,
            le=1024,
            description="How many processes; null for one for each GPU, and two on a CPU.",
        )
        threads: int | None = Field(
            None,
            ge=1,
            le=1024,
            description="Threads that each computes with; null for as many as the command would.",
        )

    options: Options

    def start(self, planned: Planned, observer: Observer) -> None:
        """Gets the weights, and waits for the first of the workers to load them."""
        # Not at the top: who lists plugins imports no torch.
        import torch

        from audiogen_core.executing.worker import Assignment

        self._assignment = Assignment.of(planned)
        self._device = planned.request.device
        self._gpus = torch.cuda.device_count() if self._device == torch.device("cuda") else 0
        self._count = self.options.workers or self._gpus or 2
        # Once, and with a display; the workers find them there.
        observer.stage("getting the weights")
        planned.request.source.checkpoint(observer.downloaded)
        observer.stage(f"starting {self._count} worker{'s' * (self._count != 1)}")
        self.wait_for_one()

    def wanted(self) -> int:
        """Always the same."""
        return self._count

    def member(self, place: int) -> Member:
        """Starts a process, on a GPU of its own where there are enough."""
        import torch

        device = torch.device("cuda", place % self._gpus) if self._gpus else self._device
        return _Process(place, self._assignment.on(device), self.options.threads, self.hear)


class _Process:
    """A worker, its process started.

    Args:
        place: Which of the pool's it is.
        assignment: What it has to know.
        threads: How many it computes with; None for as many as this process would.
        hear: Is told, from another thread, what the worker says, and None when it has ended.
    """

    def __init__(
        self,
        place: int,
        assignment: Assignment,
        threads: int | None,
        hear: Callable[[_Process, Answer | None], None],
    ) -> None:
        self.place = place
        self.ready = False
        self.cut_off = False
        self.tickets: list[int] = []
        environment = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        self._child = Child(
            "audiogen_core.executing", environment, lambda answer: hear(self, answer)
        )
        self.tell(assignment)

    def tell(self, what: object) -> None:
        """Sends something."""
        self._child.tell(what)

    def close(self) -> None:
        """Lets it end."""
        self._child.close()

    def end(self) -> str:
        """Waits for its end, and says what is known of it."""
        return f"the worker {self._child.end()}"
