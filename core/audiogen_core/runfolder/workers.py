"""Which processes are alive: on this machine the system knows, elsewhere their heartbeat tells."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Self

SECONDS_BETWEEN_BEATS = 5.0
SECONDS_TO_LIVE = 60.0
"""So long after its last heartbeat a process of another machine counts as dead."""

ENDING = ".alive"

UNKNOWN = "0"
"""When a process was started, where the system does not tell."""


@cache
def _machine() -> str:
    """This machine since it was started, and the processes that can be seen from here."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("utf-8"))
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def this_worker() -> str:
    """A name for this process that no other has: machine, number, and when it was started."""
    return f"{_machine()}-{os.getpid()}-{_started(os.getpid())}"


def _started(pid: int) -> str:
    """When a process was started, where the system tells; nothing for one that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return UNKNOWN
    # The name in parentheses may hold spaces; the state is the third field, the start the 22nd.
    fields = stat.rpartition(b")")[2].split()
    # Whoever started it may never ask what became of it.
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def _runs(pid: int) -> bool:
    if os.name == "nt":
        return True  # to ask it would be to end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


class Heartbeat:
    """Shows that this process is alive, as long as the block lasts.

    Args:
        folder: Where the processes show it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{this_worker()}{ENDING}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._path.touch()
        self._thread.start()
        return self

    def _beat(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_BEATS):
            try:
                self._path.touch()  # another run of this process may have removed it
            except OSError:
                continue  # who removed the folder ends the run, not this thread

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)


def is_alive(worker: str, folder: Path) -> bool:
    """Whether a process may still be working.

    Args:
        worker: Its name.
        folder: Where the processes show that they are alive; this one does.
    """
    machine, _, rest = worker.partition("-")
    number, _, started = rest.partition("-")
    if machine == _machine() and number.isdecimal():
        if not _runs(int(number)) or _started(int(number)) != started:
            return False
        if started != UNKNOWN:
            return True
        # Another process may have its number by now: that shows no heartbeat.
    try:
        last = (folder / f"{worker}{ENDING}").stat().st_mtime
        # By the file system's own clock, for those of the machines may differ.
        now = (folder / f"{this_worker()}{ENDING}").stat().st_mtime
    except OSError:
        return False
    return now - last < SECONDS_TO_LIVE
