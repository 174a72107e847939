"""The command's end of Ray: what it tells the gateway, and what it hears of its workers."""

from __future__ import annotations

import os
import pickle
import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from audiogen_core.errors import EXIT_USAGE
from audiogen_core.executing.child import Child
from audiogen_core.executing.process import Answer, Refused
from audiogen_plugins.executors.ray_gateway import remove
from audiogen_plugins.executors.ray_messages import (
    Cluster,
    Dismiss,
    Gone,
    Hire,
    Nodes,
    NotConnected,
    Placed,
    Said,
    Tell,
)

SECONDS_TO_SHUT_DOWN = 30.0
"""Ray ends its processes one after the other."""

Hear = Callable[["RayWorker", "Answer | None"], None]
"""Is told, from another thread, what a worker says, and None when it has ended."""


class Connection:
    """A gateway, and the workers that it has let start.

    Args:
        cluster: What it connects to.

    Attributes:
        nodes: The resources of each node that is alive.
        over: Whether the gateway has ended, and all workers with it.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.nodes: list[dict[str, float]] = []
        self.over = False
        self._refused: str | None = None
        self._end: str | None = None
        self._folder: str | None = None
        if cluster.address is None:
            self._folder = tempfile.mkdtemp(prefix="audiogen-ray-")
        self._workers: dict[int, RayWorker] = {}
        self._numbers = count()
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._gateway = Child(
            "audiogen_plugins.executors.ray_gateway", _environment(cluster), self._hear
        )
        self._gateway.tell(replace(cluster, folder=self._folder))

    def wait(self) -> str | None:
        """Returns when Ray is connected; or else why it is not."""
        self._answered.wait()
        if self._refused is None and self.over:
            return f"the process that is to connect {self.end()}"
        return self._refused

    def hire(self, worker: RayWorker) -> int:
        """Lets a worker start where there is room, and returns its number."""
        with self._lock:
            number = next(self._numbers)
            if self.over:
                worker.was_cut_off()
            else:
                self._workers[number] = worker
        self._gateway.tell(Hire(number))
        return number

    def tell(self, what: Tell | Dismiss) -> None:
        """Sends something for a worker."""
        self._gateway.tell(what)

    def _hear(self, what: Any) -> None:
        with self._lock:
            match what:
                case Nodes(resources):
                    self.nodes = resources
                case NotConnected(cause):
                    self._refused = cause
                case Placed(number):
                    self._workers[number].placed = True
                    return
                case Said(number, answer):
                    self._workers[number].heard(answer)
                    return
                case Gone(number, cause, hopeless):
                    self._workers.pop(number).ended(cause, hopeless=hopeless)
                    return
                case None:
                    self.over = True
                    for worker in self._workers.values():
                        worker.was_cut_off()
        self._answered.set()

    def end(self) -> str:
        """Ends the workers, and a Ray of our own; says what is known of the gateway's end."""
        if self._end is None:
            self._end = self._gateway.end(SECONDS_TO_SHUT_DOWN)
            if self._folder is not None:
                remove(self._folder)  # where the gateway could not
        return self._end


def _environment(cluster: Cluster) -> dict[str, str]:
    """Variables that Ray reads when it is imported."""
    wanted = {"RAY_USAGE_STATS_ENABLED": "0"}
    if cluster.address is None:
        wanted |= {
            # Loopback alone, as Ray does by itself on the systems of this name.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            # A key that nobody else knows, and that is written nowhere.
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }
    return {name: value for name, value in wanted.items() if name not in os.environ}


class RayWorker:
    """A worker of the pool that is an actor on some node.

    Args:
        place: Which of the pool's it is.
        connection: Where to ask for it.
        hear: Is told what it says.

    Attributes:
        placed: Whether it runs somewhere.
        cut_off: Whether it has ended because Ray has.
    """

    def __init__(self, place: int, connection: Connection, hear: Hear) -> None:
        self.place = place
        self.placed = False
        self.ready = False
        self.cut_off = False
        self.tickets: list[int] = []
        self._connection = connection
        self._hear = hear
        self._cause = ""
        self._over = threading.Event()
        self._number = connection.hire(self)

    def tell(self, what: object) -> None:
        """Sends something; where the worker has ended, that is heard of in its turn."""
        message = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        self._connection.tell(Tell(self._number, message))

    def heard(self, answer: bytes) -> None:
        """Hands on what it says."""
        self._hear(self, pickle.loads(answer))  # noqa: S301, both ends are one program

    def ended(self, cause: str, *, hopeless: bool = False) -> None:
        """Says that it has ended, and whether one in its place would end too."""
        self._cause = cause
        if hopeless:
            self._hear(self, Refused(cause, EXIT_USAGE))
        self._over.set()
        self._hear(self, None)

    def was_cut_off(self) -> None:
        """Says that Ray has ended, and it therefore."""
        self.cut_off = True
        self.ended("Ray has ended")

    def close(self) -> None:
        """Lets Ray kill it, also where it has not started yet."""
        self._connection.tell(Dismiss(self._number))

    def end(self) -> str:
        """Waits for its end, and says what is known of it."""
        self._over.wait()
        return self._cause
