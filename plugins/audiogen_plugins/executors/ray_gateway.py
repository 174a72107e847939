"""The process that is connected to Ray, so that the command is not.

Where the raylet of its node dies, Ray ends the process that is connected to it, whatever that is
doing and without a word. Here that is a process that the command can start again. It ends when
its standard input does, and with it our actors, and a Ray of our own with its folder: so nothing
outlives a command that is killed.

``python -m audiogen_plugins.executors.ray_gateway`` is one. It is told its `Cluster`, answers
`Nodes` or `NotConnected`, and then lets workers be.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audiogen_core import __version__
from audiogen_core.executing.pickles import output_for_answers, received, send
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

SECONDS_BETWEEN_LOOKS = 5.0
"""So often it is looked whether the cluster has grown."""


def main() -> None:
    """Works until the standard input ends."""
    answers = output_for_answers()
    lock = threading.Lock()

    def answer(what: object) -> None:
        with lock:
            try:
                send(answers, what)
            except OSError:
                return  # the command has ended, and so will the input

    import ray  # not at the top: the command knows this module, and not Ray

    messages = received(sys.stdin.buffer)
    cluster: Cluster = next(messages)
    try:
        if (cause := _connect(cluster)) is not None:
            answer(NotConnected(cause))
            return
        ending = threading.Event()
        threading.Thread(target=_look, args=(answer, ending), daemon=True).start()
        actors: dict[int, _Actor] = {}
        for message in messages:
            match message:
                case Hire(worker):
                    actors[worker] = _Actor(worker, cluster, answer)
                case Tell(worker, content):
                    actors[worker].tell(content)
                case Dismiss(worker):
                    actors[worker].dismiss()
        ending.set()
        for actor in actors.values():
            actor.dismiss()
        ray.shutdown()
    finally:
        if cluster.folder is not None:
            remove(cluster.folder)


def remove(folder: str) -> None:
    """Removes the folder of a Ray of our own, whose processes may be about to end."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            return
        time.sleep(0.1)


def _connect(cluster: Cluster) -> str | None:
    """Connects to Ray, or says why not."""
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    ours: dict[str, Any] = {"address": cluster.address}
    if cluster.address is None:
        ours = {
            "address": "local",
            "include_dashboard": False,
            "_temp_dir": cluster.folder,
            "num_cpus": cluster.room,
        }
    try:
        ray.init(**quiet, **ours)
    except Exception as error:
        lines = str(error).strip().splitlines()
        return lines[0] if lines else type(error).__name__
    return None


def _look(answer: Callable[[object], None], ending: threading.Event) -> None:
    """Tells which nodes there are, as long as this one is among them, or until Ray is let go."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    known: list[dict[str, float]] | None = None
    while True:
        try:
            nodes = {one["NodeID"]: one["Resources"] for one in ray.nodes() if one["Alive"]}
        except Exception:
            nodes = {}  # the head is lost
        if ending.is_set():
            return  # the folder is still to be removed
        if here not in nodes:
            os._exit(1)  # as Ray would, sooner or later
        if (found := list(nodes.values())) != known:
            known = found
            answer(Nodes(found))
        ending.wait(SECONDS_BETWEEN_LOOKS)


class _Actor:
    """An actor, asked for; Ray starts it where and when it has room.

    Args:
        worker: Its number.
        cluster: What it is given.
        answer: Is told from another thread what becomes of it, and what it says.
    """

    def __init__(self, worker: int, cluster: Cluster, answer: Callable[[object], None]) -> None:
        import ray

        from audiogen_plugins.executors.ray_worker import Actor

        self._worker = worker
        self._answer = answer
        # Never restarted by Ray, nor is a call repeated: the run knows what is left.
        wanted: dict[str, Any] = {"num_cpus": cluster.cpus, "num_gpus": cluster.gpus}
        actor = ray.remote(**wanted, max_restarts=0, max_task_retries=0)(Actor)
        self._actor = actor.remote(cluster.cpus)
        self._calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, message: bytes) -> None:
        """Sends a message; where the worker has ended, that is heard of in its turn."""
        self._calls.put(self._actor.tell.options(num_returns="streaming").remote(message))

    def dismiss(self) -> None:
        """Lets Ray kill it."""
        import ray

        self._calls.put(None)
        ray.kill(self._actor)

    def _listen(self) -> None:
        import ray

        gone = Gone(self._worker, "its worker was ended")
        try:
            version = ray.get(self._actor.version.remote())
            self._answer(Placed(self._worker))
            if version != __version__:
                gone = self._unfit(f"has audiogen {version}, not {__version__}")
                return
            while (answers := self._calls.get()) is not None:
                for answer in answers:
                    self._answer(Said(self._worker, ray.get(answer)))
        except Exception as error:
            # Whatever it is, the worker is of no use any more.
            gone = Gone(self._worker, f"its worker was lost ({type(error).__name__})")
            if "No module named" in str(error):
                last = str(error).strip().splitlines()[-1].strip()
                gone = self._unfit(f"cannot import audiogen ({last})")
        finally:
            self._answer(gone)

    def _unfit(self, what: str) -> Gone:
        cause = f"a node of the Ray cluster {what}: install {__version__} on all of them"
        return Gone(self._worker, cause, hopeless=True)


if __name__ == "__main__":
    main()
