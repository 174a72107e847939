"""Files that are made once, whole, by one of several processes."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from audiogen_core.runfolder.workers import this_worker

ENDING = ".new"

SECONDS_TO_WRITE = 2.0
"""Where a file can be seen empty, it is filled sooner than this, unless its maker is gone."""


def create_once(path: Path, content: bytes) -> bool:
    """Makes a file with this content, unless there is one: whole from the first moment.

    Args:
        path: The file.
        content: What it shall hold.

    Returns:
        Whether this call made it.

    Raises:
        OSError: The folder cannot be written.
    """
    name = f"{this_worker()}-{secrets.token_hex(8)}{ENDING}"
    temporary = path.with_name(name)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links: whole a moment later
            return _create(path, content)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def read_whole(path: Path) -> bytes:
    """The content of a file that was made once.

    Where a file system has no hard links, it may be seen before it is written: that is waited for.
    One that stays empty was left so by a process that was killed, or is damaged.

    Raises:
        OSError: It cannot be read, or is not there.
    """
    until = time.monotonic() + SECONDS_TO_WRITE
    while not (content := path.read_bytes()) and time.monotonic() < until:
        time.sleep(0.02)
    return content


def remove_unfinished(folder: Path, is_dead: Callable[[str], bool]) -> None:
    """Removes what processes that were killed left in a folder before it was whole.

    Args:
        folder: Where they made files.
        is_dead: Tells of a worker's name whether it is no more.
    """
    for path in folder.glob(f"*{ENDING}"):
        if is_dead(path.name.removesuffix(ENDING).rpartition("-")[0]):
            path.unlink(missing_ok=True)


def _create(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True
