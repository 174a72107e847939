"""Stopping at the right moment: an output that is made is finished first.

Ctrl-C, a request to end (SIGTERM) and a terminal that goes away (SIGHUP) are all the same: the
first ends the run as soon as the file that is being written stands; a second one ends the process
at once, whatever it does.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


_stopped = threading.Event()
"""Whether one of them has come since the last run began."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Lets the signals of `STOPS` raise KeyboardInterrupt in the block.

    What the process was started to ignore (by ``nohup``, or in the background) stays ignored.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        _stopped.set()
        _let_the_next_one_kill()
        raise KeyboardInterrupt

    _stopped.clear()
    with _handling(stop, unless=signal.SIG_IGN):
        try:
            yield
        except Exception:
            raise_if_stopped()
            raise


def raise_if_stopped() -> None:
    """To be asked after an error: code in another language may have made it of a signal.

    Raises:
        KeyboardInterrupt: A signal has come.
    """
    if _stopped.is_set():
        raise KeyboardInterrupt


@contextmanager
def held_stop() -> Iterator[None]:
    """Holds a signal that would raise back until the end of the block; a second one is not held.

    Without it, a file could stand without its metadata, or without anybody having been told.
    """
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        _let_the_next_one_kill()
        held.append((number, frame))

    replaced: dict[int, Any] = {}
    try:
        with _handling(hold, unless=None, restore=True) as replaced:
            yield
    finally:
        if held:  # also where the block has failed: whoever asked to stop is not forgotten
            number, frame = held[0]
            replaced[number](number, frame)


def _let_the_next_one_kill() -> None:
    for number in STOPS:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _handling(handler: Any, unless: Any, *, restore: bool = False) -> Iterator[dict[int, Any]]:
    """Replaces handlers in the block.

    Args:
        handler: What replaces them.
        unless: The handler that is left alone; None to replace only what is a function.
        restore: Whether to put them back in any case: what ends the run need not end the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    replaced = {
        number: one
        for number, one in before.items()
        if (callable(one) and not isinstance(one, signal.Handlers))
        or (unless is not None and one not in (unless, None))
    }
    for number, one in replaced.items():
        # Unless a signal has come meanwhile: the next one is to kill.
        if signal.getsignal(number) is one:
            signal.signal(number, handler)
    try:
        yield replaced
    finally:
        for number, one in replaced.items():
            # Unless a signal has come since, and this process is about to end.
            if restore or signal.getsignal(number) is handler:
                signal.signal(number, one)
