"""Worker processes on this machine, each with the model of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from pydantic import Field

from audiogen_core.executing.pool import Member, Pool
from audiogen_core.interfaces.observer import Observer
from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from audiogen_core.executing.process import Answer
    from audiogen_core.executing.worker import Assignment
    from audiogen_core.prepare import Planned

SECONDS_TO_END = 5.0
"""A worker ends at once when its input does; one that cannot is killed."""


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
        self.tickets: list[int] = []
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, `end` closes it
        environment = dict(os.environ)
        if threads is not None:
            environment["OMP_NUM_THREADS"] = str(threads)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "audiogen_core.executing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            # Ctrl-C is for the command, which ends its workers itself.
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._listen, args=(hear,), daemon=True)
        self._thread.start()
        self.tell(assignment)

    def tell(self, what: object) -> None:
        """Sends something; where the worker has ended, that is heard of in its turn."""
        from audiogen_core.executing.process import send

        try:
            send(self._input, what)
        except OSError:
            return

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101, it is a pipe
        return self._process.stdin

    def _listen(self, hear: Callable[[_Process, Answer | None], None]) -> None:
        from audiogen_core.executing.process import received

        assert self._process.stdout is not None  # noqa: S101, it is a pipe
        try:
            with self._process.stdout as answers:
                for answer in received(answers):
                    hear(self, answer)
        finally:
            hear(self, None)

    def close(self) -> None:
        """Lets it end."""
        try:
            self._input.close()
        except OSError:
            return  # it has ended, and did not read all

    def end(self) -> str:
        """Waits for its end, and says what is known of it."""
        self.close()
        try:
            code = self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._thread.join()
        with self._errors as errors:
            errors.seek(0)
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        last = f": {lines[-1]}" if lines and code > 0 else ""
        return f"the worker ended with {how}{last}"
