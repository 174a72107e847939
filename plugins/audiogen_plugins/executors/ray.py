"""Workers on a Ray cluster, or on a Ray of our own on this machine."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from audiogen_core.errors import NotInstalledError, Problem, UsageError
from audiogen_core.executing.pool import Member, Pool
from audiogen_core.interfaces.executor import Event, WorkersLostError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interrupts import STOPS
from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from audiogen_core.prepare import Planned

SECONDS_FOR_ROOM = 300.0
"""So long it is borne that no worker runs: room may come, and Python may start slowly."""

SECONDS_BETWEEN_LOOKS = 5.0
"""So often it is looked whether the cluster has grown."""

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
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0
        self._next_look = 0.0

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
        observer.stage("starting Ray" if self.options.address is None else "connecting to Ray")
        self._connect()
        self._placed = time.monotonic()
        if self.options.address is None and not self.wanted():
            raise UsageError(f"--executor ray: this machine has no room for {self._worker()}")
        observer.stage("starting workers")
        self.wait_for_one()

    def _connect(self) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
        address = self.options.address
        # Read by Ray when it is imported.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address is not None:
            _reach(address)
            ours: dict[str, Any] = {"address": address}
        else:
            # Loopback alone, as Ray does by itself on the systems of this name.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
            # A key that nobody else knows, and that is written nowhere.
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
            self._folder = tempfile.TemporaryDirectory(
                prefix="audiogen-ray-", ignore_cleanup_errors=True
            )
            ours = {
                "address": "local",
                "include_dashboard": False,
                "_temp_dir": self._folder.name,
            }
            if self.options.workers is not None:
                ours["num_cpus"] = self.options.workers * self.options.cpus
        with _our_handlers():
            import ray

            if ray.is_initialized():
                raise UsageError("--executor ray: this process is connected to Ray already")
            try:
                ray.init(**quiet, **ours)
            except Exception as error:
                what = "Ray does not start" if address is None else f"no Ray cluster at {address!r}"
                raise UsageError(f"--executor ray: {what}: {_first_line(error)}") from error

    def wanted(self) -> int:
        """As many as were asked for, or as the nodes that are alive have room for in all."""
        if self.options.workers is not None:
            return self.options.workers
        if time.monotonic() >= self._next_look:
            import ray

            self._next_look = time.monotonic() + SECONDS_BETWEEN_LOOKS
            nodes = [one["Resources"] for one in ray.nodes() if one["Alive"]]
            self._count = sum(self._room_of(one) for one in nodes)
        return self._count

    def _room_of(self, resources: dict[str, float]) -> int:
        room = int(resources.get("CPU", 0) // self.options.cpus)
        return min(room, int(resources.get("GPU", 0))) if self._gpus else room

    def member(self, place: int) -> Member:
        """Asks for an actor; Ray finds it a place."""
        from audiogen_plugins.executors.ray_worker import RayWorker

        return RayWorker(place, self._assignment, self.options.cpus, self._gpus, self.hear)

    def events(self, seconds: float) -> Iterator[Event]:
        """What workers have said; workers come and go with the nodes of the cluster."""
        from audiogen_plugins.executors.ray_worker import RayWorker

        yield from super().events(seconds)
        if any(isinstance(one, RayWorker) and one.placed for one in self.members):
            self._placed = time.monotonic()
        elif time.monotonic() > self._placed + SECONDS_FOR_ROOM:
            raise WorkersLostError(
                f"the Ray cluster has no room for {self._worker()}: none has started for "
                f"{SECONDS_FOR_ROOM:.0f} s"
            )

    def _worker(self) -> str:
        cpus = f"{self.options.cpus} CPU{'s' * (self.options.cpus != 1)}"
        return f"a worker, which needs {cpus}{' and a GPU' * self._gpus} of one node"

    def stop(self) -> None:
        """Ends our workers; a Ray of our own ends too, and a cluster stays as it was."""
        super().stop()
        if "ray" in sys.modules:
            import ray

            ray.shutdown()
        if self._folder is not None:
            self._folder.cleanup()


def _check(address: str | None) -> None:
    """Lets only an address pass that Ray Core takes, before anything is loaded."""
    if address is None or address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--executor-option.address: must be HOST:PORT or 'auto', not {address!r}")


def _reach(address: str) -> None:
    """Finds out at once whether anybody listens there: Ray itself would try for long."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise UsageError(f"--executor ray: no Ray cluster at {address!r}: {error}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def _our_handlers() -> Iterator[None]:
    """Keeps the signals as they are: Ray puts a handler of its own, which exits, for SIGTERM.

    Raises:
        KeyboardInterrupt: A signal has come to that handler meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if signal.getsignal(signal.SIGINT) is before[signal.SIGINT]:  # else one of ours has come
            for number, handler in before.items():
                signal.signal(number, handler)
