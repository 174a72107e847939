"""A worker of the executor `ray`: the actor that Ray runs on a node."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterator
from typing import Any

from audiogen_core import __version__


class Actor:
    """It answers messages, each by a stream of answers.

    Messages and answers are pickles, as between processes: Ray would hand over arrays that cannot
    be written to.

    Args:
        threads: How many it computes with.
    """

    def __init__(self, threads: int) -> None:
        # Not at the top: the gateway knows this class, and computes nothing.
        import torch

        from audiogen_core.executing.process import work

        torch.set_num_threads(threads)
        self._messages: deque[Any] = deque()
        self._answers = work(iter(self._messages.popleft, None))

    def version(self) -> str:
        """Of the package on the node."""
        return __version__

    def tell(self, message: bytes) -> Iterator[bytes]:
        """Answers a message."""
        from audiogen_core.executing.process import Limit, Ready, Refused
        from audiogen_core.interfaces.executor import Finished

        self._messages.append(pickle.loads(message))  # noqa: S301, both ends are one program
        for answer in self._answers:
            yield pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
            if isinstance(answer, Ready | Refused | Limit | Finished):
                return  # nothing more comes of the message
