"""A worker of the executor `ray`: the actor that Ray runs, and the run's end of it."""

from __future__ import annotations

import pickle
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import ray

from audiogen_core import __version__
from audiogen_core.errors import EXIT_USAGE
from audiogen_core.executing.process import Answer, Limit, Ready, Refused, work
from audiogen_core.executing.worker import Assignment
from audiogen_core.interfaces.executor import Finished

LAST = (Ready, Refused, Limit, Finished)
"""The last answer to a message is one of these."""


class Actor:
    """What Ray runs on a node: it answers messages, each by a stream of answers.

    Messages and answers are pickles, as between processes: Ray would hand over arrays that cannot
    be written to.

    Args:
        threads: How many it computes with.
    """

    def __init__(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._messages: deque[Any] = deque()
        self._answers = work(iter(self._messages.popleft, None))

    def version(self) -> str:
        """Of the package on the node."""
        return __version__

    def tell(self, message: bytes) -> Iterator[bytes]:
        """Answers a message."""
        self._messages.append(pickle.loads(message))  # noqa: S301, both ends are one program
        for answer in self._answers:
            yield pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
            if isinstance(answer, LAST):
                return


class RayWorker:
    """An actor, asked for; Ray starts it where and when it has room.

    Args:
        place: Which of the pool's it is.
        assignment: What it has to know.
        cpus: How many it is given, and how many threads it computes with.
        gpus: How many it is given.
        hear: Is told, from another thread, what the worker says, and None when it has ended.

    Attributes:
        placed: Whether it runs somewhere.
    """

    def __init__(
        self,
        place: int,
        assignment: Assignment,
        cpus: int,
        gpus: int,
        hear: Callable[[RayWorker, Answer | None], None],
    ) -> None:
        self.place = place
        self.placed = False
        self.ready = False
        self.tickets: list[int] = []
        self._cause = "its worker was ended"
        # Never restarted by Ray, nor is a call repeated: the run knows what is left.
        actor = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(Actor)
        self._actor = actor.remote(cpus)
        self._calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.tell(assignment)
        self._thread = threading.Thread(target=self._listen, args=(hear,), daemon=True)
        self._thread.start()

    def tell(self, what: object) -> None:
        """Sends something; where the worker has ended, that is heard of in its turn."""
        message = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        self._calls.put(self._actor.tell.options(num_returns="streaming").remote(message))

    def _listen(self, hear: Callable[[RayWorker, Answer | None], None]) -> None:
        try:
            version = ray.get(self._actor.version.remote())
            self.placed = True
            if version != __version__:
                cause = f"a node of the Ray cluster has audiogen {version}, not {__version__}"
                hear(self, Refused(f"{cause}: install the same on all of them", EXIT_USAGE))
                return
            while (answers := self._calls.get()) is not None:
                for answer in answers:
                    hear(self, pickle.loads(ray.get(answer)))  # noqa: S301, as above
        except Exception as error:
            # Whatever it is, the worker is of no use any more.
            self._cause = f"its worker was lost ({type(error).__name__})"
            if not self.placed and "No module named" in str(error):
                last = str(error).strip().splitlines()[-1].strip()
                cause = f"a node of the Ray cluster cannot import audiogen ({last})"
                hear(self, Refused(f"{cause}: install {__version__} on all of them", EXIT_USAGE))
        finally:
            hear(self, None)

    def close(self) -> None:
        """Lets Ray kill it, also where it has not started yet."""
        self._calls.put(None)
        ray.kill(self._actor)

    def end(self) -> str:
        """Waits for its end, and says what is known of it."""
        cause = self._cause
        self.close()
        self._thread.join()
        return cause
