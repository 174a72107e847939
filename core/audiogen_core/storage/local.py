"""A folder of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from audiogen_core.errors import InputError, Problem
from audiogen_core.storage.interface import MAX_METADATA, Storage


class LocalStorage(Storage):
    """A folder, which need not exist.

    Args:
        folder: The folder.
        in_folders: Whether outputs stand in its subfolders.
    """

    def __init__(self, folder: Path, *, in_folders: bool = False) -> None:
        self._folder = folder
        self._in_folders = in_folders

    def names(self) -> Iterator[str]:
        """The names in the folder; or in its subfolders, each below the folder."""
        for entry in _entries(self._folder):
            if not self._in_folders:
                yield entry.name
            elif entry.is_dir() and not entry.name.startswith("."):
                yield from (f"{entry.name}/{one.name}" for one in _entries(entry))

    def stands(self, name: str) -> bool:
        """Whether something has the name, be it a link to what is gone."""
        return os.path.lexists(self._folder / name)

    def size(self, name: str) -> int | None:
        """The bytes of a file, as of now."""
        try:
            return (self._folder / name).stat().st_size
        except OSError:
            return None  # a link to what is gone

    def metadata(self, name: str) -> bytes | None:
        """The content of a regular file."""
        path = self._folder / name
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_METADATA:
                return None
            return path.read_bytes()
        except OSError:
            return None


def _entries(folder: os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """What stands in a folder, if it exists.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except FileNotFoundError:
        return
    except OSError as error:
        what = f"'{os.fspath(folder)}' cannot be read: {error.strerror}"
        raise InputError(Problem("output.output_dir", what)) from None
