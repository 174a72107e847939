"""A worker as a process of its own: pickles come in by standard input and go out by the output.

``python -m audiogen_core.executing`` is one. It is told its `Assignment`, and then batches
with their tickets or the settings that a limit is asked for. It ends as soon as its standard input
does, whatever it is doing: so it never outlives whoever has started it.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from audiogen_core.batching import Batch
from audiogen_core.errors import EXIT_RUN_FAILED, AudiogenError
from audiogen_core.executing.pickles import output_for_answers, received, send
from audiogen_core.executing.worker import Assignment, Worker
from audiogen_core.interfaces.executor import Event, Finished, Made, Started
from audiogen_core.registry import describe
from audiogen_core.settings import Settings


@dataclass(frozen=True)
class Ready:
    """The model is loaded."""


@dataclass(frozen=True)
class Refused:
    """The model cannot be had.

    Attributes:
        cause: Why.
        exit_code: What a command ends with.
    """

    cause: str
    exit_code: int


@dataclass(frozen=True)
class Limit:
    """How many outputs can be sampled together."""

    outputs: int


Answer = Ready | Refused | Limit | Event
"""What a worker writes."""


def work(messages: Iterator[Any]) -> Iterator[Answer]:
    """What a worker answers to the messages that it gets."""
    assignment: Assignment = next(messages)
    try:
        worker = Worker(assignment)
    except (Exception, SystemExit) as error:
        code = error.exit_code if isinstance(error, AudiogenError) else EXIT_RUN_FAILED
        yield Refused(describe(error), code)
        return
    yield Ready()
    for message in messages:
        match message:
            case int(ticket), Batch() as batch:
                yield Started(ticket)
                for part, index, made in worker.make(batch):
                    yield Made(ticket, part, index, made)
                yield Finished(ticket)
            case Settings() as settings:
                yield Limit(worker.batch_limit(settings))


def _inbox(stream: IO[bytes]) -> Iterator[Any]:
    """What comes in, read in a thread, so that the end of it is noticed amid work."""
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        for message in received(stream):
            waiting.put(message)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield waiting.get()


def main() -> None:
    """Works until the standard input ends."""
    answers = output_for_answers()
    for answer in work(_inbox(sys.stdin.buffer)):
        send(answers, answer)
