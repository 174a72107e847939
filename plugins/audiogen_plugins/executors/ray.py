"""Workers on a Ray cluster, or on a Ray of our own on this machine."""

from __future__ import annotations

import importlib.util
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from audiogen_core.errors import NotInstalledError, Problem, UsageError
from audiogen_core.executing.pool import LOST_IN_A_ROW, Member, Pool
from audiogen_core.interfaces.executor import Event, WorkersLostError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.options import PluginOptions, shown

if TYPE_CHECKING:
    from audiogen_core.prepare import Planned
    from audiogen_plugins.executors.ray_connection import Connection

SECONDS_FOR_ROOM = 300.0
"""So long it is borne that no worker runs: room may come, and Python may start slowly."""

SECONDS_UNTIL_SAID = 10.0
"""After so many without a worker that runs, it is said what is waited for."""

SECONDS_TO_CONNECT = 10.0


class Ray(Pool):
    """Workers on a Ray cluster, or without one on this machine: as many as there is room for."""

    NAME = "ray"

    class Options(PluginOptions):
        """What ``--executor-option`` may give it."""

        address: str | None = Field(
            None,
            description="Of a cluster that runs, HOST:PORT, or `auto` for the one that this "
            "machine is a node of; null for a Ray of our own, on this machine alone.",
        )
        workers: int | None = Field(
            None,
            ge=1,
            le=4096,
            description="How many workers; null for as many as the cluster has room for, "
            "also when it grows.",
        )
        cpus: int = Field(
            1,
            ge=1,
            le=1024,
            description="CPUs that each worker is given, and threads that it computes with; "
            "where the command would compute on a GPU, each is given one GPU besides.",
        )

    options: Options

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        if importlib.util.find_spec("ray") is None:
            lacking = "Ray is not installed: pip install 'audiogen[ray]' (for Python before 3.14)"
            raise NotInstalledError(Problem("--executor ray", lacking))
        _check(self.options.address)
        self._connection: Connection | None = None
        self._ends_in_a_row = 0

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """As many threads as this process computes with: only so are the files the same."""
        import torch

        del folder
        return {"options": {"workers": 1, "cpus": torch.get_num_threads()}}

    def start(self, planned: Planned, observer: Observer) -> None:
        """Connects, or starts Ray, and waits for the first of the workers to load the model."""
        import torch

        from audiogen_core.executing.worker import Assignment

        device = planned.request.device
        self._gpus = int(device.type == "cuda")
        # Ray shows each worker its own GPU as the only one.
        self._assignment = Assignment.of(planned).on(torch.device(device.type))
        # Once, and with a display; workers on this machine find them there.
        observer.stage("getting the weights")
        planned.request.source.checkpoint(observer.downloaded)
        self._observer = observer
        observer.stage("starting Ray" if self.options.address is None else "connecting to Ray")
        self._connect()
        if not self._room():
            where = "this machine" if self.options.address is None else "no node of the cluster"
            has = "has no room" if self.options.address is None else "has room"
            raise UsageError(f"--executor ray: {where} {has} for {self._worker()}")
        observer.stage("starting workers")
        self.wait_for_one()

    def _connect(self) -> Connection:
        """Connects to a cluster, or starts a Ray of our own.

        Raises:
            UsageError: That is not possible.
        """
        from audiogen_plugins.executors.ray_connection import Connection
        from audiogen_plugins.executors.ray_messages import Cluster

        address, workers = self.options.address, self.options.workers
        if address is not None:
            _reach(address)
        room = None if workers is None else workers * self.options.cpus
        connection = Connection(Cluster(address, room, self.options.cpus, self._gpus))
        self._connection = connection
        if (cause := connection.wait()) is not None:
            what = "Ray does not start" if address is None else f"no Ray cluster at {address!r}"
            raise UsageError(f"--executor ray: {what}: {cause}")
        self._placed, self._said = time.monotonic(), False
        return connection

    def _connect_again(self) -> Connection:
        """Connects where Ray has ended: a node may be back, and a Ray of our own starts anew.

        Raises:
            WorkersLostError: That is not possible, or was done too often.
        """
        how = "is started" if self.options.address is None else "is looked for"
        cause = "it ends before a worker gets ready, again and again"
        self._ends_in_a_row += 1
        while self._ends_in_a_row < LOST_IN_A_ROW:
            self._observer.note(f"Ray has ended, and {how} again")
            self._end()
            try:
                return self._connect()
            except UsageError as error:
                cause = str(error).removeprefix("--executor ray: ")
                self._ends_in_a_row += 1
        raise WorkersLostError(f"Ray has ended: {cause}")

    def wanted(self) -> int:
        """As many as were asked for, or as the nodes that are alive have room for in all."""
        return self.options.workers or self._room()

    def _room(self) -> int:
        nodes = [] if self._connection is None else self._connection.nodes
        return sum(self._room_of(one) for one in nodes)

    def _room_of(self, resources: dict[str, float]) -> int:
        room = int(resources.get("CPU", 0) // self.options.cpus)
        return min(room, int(resources.get("GPU", 0))) if self._gpus else room

    def member(self, place: int) -> Member:
        """Asks for an actor, which Ray finds a place; where Ray has ended, it is started anew.

        Raises:
            WorkersLostError: There is no Ray any more.
        """
        from audiogen_plugins.executors.ray_connection import RayWorker

        connection = self._connection
        if connection is None or connection.over:
            connection = self._connect_again()
        worker = RayWorker(place, connection, self.hear)
        worker.tell(self._assignment)
        return worker

    def events(self, seconds: float) -> Iterator[Event]:
        """What workers have said; workers come and go with the nodes of the cluster."""
        from audiogen_plugins.executors.ray_connection import RayWorker

        yield from super().events(seconds)
        if any(one.ready for one in self.members):
            self._ends_in_a_row = 0
        if any(isinstance(one, RayWorker) and one.placed for one in self.members):
            self._placed, self._said = time.monotonic(), False
        elif time.monotonic() > self._placed + SECONDS_FOR_ROOM:
            raise WorkersLostError(
                f"the Ray cluster has no room for {self._worker()}: none has started for "
                f"{SECONDS_FOR_ROOM:.0f} s"
            )
        elif not self._said and time.monotonic() > self._placed + SECONDS_UNTIL_SAID:
            self._said = True
            self._observer.stage(f"waiting for Ray to start {self._worker()}")

    def _worker(self) -> str:
        cpus = f"{self.options.cpus} CPU{'s' * (self.options.cpus != 1)}"
        return f"a worker, which needs {cpus}{' and a GPU' * self._gpus} of one node"

    def stop(self) -> None:
        """Ends our workers; a Ray of our own ends too, and a cluster stays as it was."""
        self._end()
        super().stop()

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.end()
            self._connection = None


def _check(address: str | None) -> None:
    """Lets only an address pass that Ray Core takes, before anything is loaded."""
    if address is None or address == "auto":
        return
    host, _, port = address.rpartition(":")
    is_port = re.fullmatch(r"[0-9]{1,5}", port) is not None and 0 < int(port) < 65536
    if not host or "/" in host or not is_port:
        what = f"must be HOST:PORT or 'auto', not {shown(address)}"
        raise UsageError(f"--executor-option.address: {what}")


def _reach(address: str) -> None:
    """Finds out at once whether anybody listens there: Ray itself would try for long."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise UsageError(f"--executor ray: no Ray cluster at {address!r}: {error}") from error
