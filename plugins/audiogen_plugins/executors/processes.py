"""Worker processes on this machine, each with the model of its own."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

from pydantic import Field

from audiogen_core.batching import Batch
from audiogen_core.errors import EXIT_USAGE, UsageError
from audiogen_core.interfaces.executor import (
    Event,
    Executor,
    Finished,
    Lost,
    Started,
    WorkersLostError,
)
from audiogen_core.interfaces.observer import Observer
from audiogen_core.options import PluginOptions
from audiogen_core.settings import Settings

if TYPE_CHECKING:
    from audiogen_core.executing.process import Answer
    from audiogen_core.executing.worker import Assignment
    from audiogen_core.prepare import Planned

IN_FLIGHT = 2
"""Batches a worker: one that it makes, and one so that it need not wait for the next."""

LOST_IN_A_ROW = 3
"""After so many that ended before they were ready, none is replaced: it would end too."""

SECONDS_TO_END = 5.0
"""A worker ends at once when its input does; one that cannot is killed."""


class Processes(Executor):
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

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        self._workers: list[_Process] = []
        self._heard: queue.SimpleQueue[tuple[_Process, Answer | None]] = queue.SimpleQueue()
        self._lost_in_a_row = 0
        self._limits: deque[int] = deque()

    def start(self, planned: Planned, observer: Observer) -> None:
        """Gets the weights, and waits for the first of the workers to load them."""
        # Not at the top: who lists plugins imports no torch.
        import torch

        from audiogen_core.executing.worker import Assignment

        device = planned.request.device
        gpus = torch.cuda.device_count() if device == torch.device("cuda") else 0
        count = self.options.workers or gpus or 2
        # Once, and with a display; the workers find them there.
        observer.stage("getting the weights")
        planned.request.source.checkpoint(observer.downloaded)
        observer.stage(f"starting {count} worker{'s' * (count != 1)}")
        whole = Assignment.of(planned)
        for number in range(count):
            place = torch.device("cuda", number % gpus) if gpus else device
            self._start_one(whole.on(place))
        while not any(one.ready for one in self._workers):
            list(self.events(1.0))  # nobody has a batch yet, and so there is none

    def _start_one(self, assignment: Assignment) -> None:
        self._workers.append(_Process(assignment, self.options.threads, self._hear))

    def _hear(self, worker: _Process, answer: Answer | None) -> None:
        self._heard.put((worker, answer))

    def batch_limit(self, settings: Settings) -> int:
        """What the first of the workers says; they are all of one kind."""
        asked: _Process | None = None
        while not self._limits:
            if asked is None or asked not in self._workers:
                asked = next((one for one in self._workers if one.ready), None)
                if asked is not None:
                    asked.tell(settings)
            list(self.events(1.0))
        return self._limits.popleft()

    def room(self) -> int:
        """Up to two batches for each worker that is ready."""
        return sum(IN_FLIGHT - len(one.tickets) for one in self._workers if one.ready)

    def submit(self, ticket: int, batch: Batch) -> None:
        """Gives it to the worker that has the least to do."""
        ready = [one for one in self._workers if one.ready]
        worker = min(ready, key=lambda one: len(one.tickets))
        worker.tickets.append(ticket)
        worker.tell((ticket, batch))

    def events(self, seconds: float) -> Iterator[Event]:
        """What workers have said; one that has ended is replaced."""
        from audiogen_core.executing.process import Limit, Ready, Refused

        try:
            worker, answer = self._heard.get(timeout=seconds)
        except queue.Empty:
            return
        match answer:
            case None:
                yield from self._replaced(worker)
            case Ready():
                worker.ready = True
                self._lost_in_a_row = 0
            case Refused(cause, code) if not any(one.ready for one in self._workers):
                raise (UsageError if code == EXIT_USAGE else WorkersLostError)(cause)
            case Refused():
                pass  # it ends now, and others work
            case Limit(outputs):
                self._limits.append(outputs)
            case _:
                if isinstance(answer, Started):
                    worker.started = answer.ticket
                elif isinstance(answer, Finished):
                    worker.tickets.remove(answer.ticket)
                    worker.started = None
                yield answer

    def _replaced(self, worker: _Process) -> Iterator[Event]:
        """Puts another in the place of a worker that has ended, and tells what it had."""
        cause = worker.end()
        self._workers.remove(worker)
        if not worker.ready:
            self._lost_in_a_row += 1
        if self._lost_in_a_row < LOST_IN_A_ROW:
            self._start_one(worker.assignment)
        elif not self._workers:
            raise WorkersLostError(f"no worker gets ready: {cause}")
        for ticket in worker.tickets:
            yield Lost(ticket, ticket == worker.started, cause)

    def stop(self) -> None:
        """Lets all of them end, in the midst of their work."""
        for worker in self._workers:
            worker.close()
        for worker in self._workers:
            worker.end()


class _Process:
    """A worker, its process started.

    Args:
        assignment: What it has to know.
        threads: How many it computes with; None for as many as this process would.
        hear: Is told, from another thread, what the worker says, and None when it has ended.

    Attributes:
        ready: Whether its model is loaded.
        tickets: Of the batches that it has.
        started: Of the one that it is making.
    """

    def __init__(
        self,
        assignment: Assignment,
        threads: int | None,
        hear: Callable[[_Process, Answer | None], None],
    ) -> None:
        self.assignment = assignment
        self.ready = False
        self.tickets: list[int] = []
        self.started: int | None = None
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
