"""Writes files whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from audiogen_core.errors import InputError, Problem
from audiogen_core.runfolder.workers import this_worker

_TEMPORARY_PREFIX = ".audiogen-"
_TEMPORARY_ENDING = ".part"
MAX_NAMED = 500
"""How much of a path messages hold."""

TEMPORARY_LENGTH = 80
"""No name that a file has while it is written is longer."""


def publish(path: Path, write: Callable[[Path], None], folder: Path | None = None) -> None:
    """Lets ``write`` fill a temporary file, then puts it in its place.

    The file is synced before it is renamed; when anything fails nothing is left behind and
    what stood at ``path`` before still stands.

    Args:
        path: The file.
        write: Writes it to the path that it is given.
        folder: Where the temporary file stands, on the same disk; beside ``path`` by default.

    Raises:
        OSError: The folder cannot be written.
        Exception: Whatever ``write`` raises.
    """
    with Draft(folder or path.parent, write) as draft:
        draft.place(path)


class Draft:
    """A file that is written and synced, and not in its place yet.

    At the end of a block with it, it is in its place or removed.

    Args:
        folder: Where it stands meanwhile.
        write: Writes it to the path that it is given.

    Attributes:
        path: Where it stands until it is in its place.

    Raises:
        OSError: The folder cannot be written.
        Exception: Whatever ``write`` raises; nothing is left behind.
    """

    def __init__(self, folder: Path, write: Callable[[Path], None]) -> None:
        self.path = folder / _temporary_name()
        # O_EXCL follows no planted link; the mode leaves the permissions to the user's umask.
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            write(self.path)
            _sync(self.path)
        except BaseException:
            self.drop()
            raise

    def __enter__(self) -> Self:
        """The draft itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Removes it where it is not in its place."""
        self.drop()

    def place(self, path: Path) -> None:
        """Puts it in its place, on the same disk, where it replaces what stands there.

        Raises:
            OSError: It cannot be put there; it is gone.
        """
        self.path.replace(path)
        _sync(path.parent)

    def drop(self) -> None:
        """Removes it, where it is not in its place."""
        self.path.unlink(missing_ok=True)


def _temporary_name() -> str:
    """A new one, which tells whose it is."""
    return f"{_TEMPORARY_PREFIX}{this_worker()}-{secrets.token_hex(8)}{_TEMPORARY_ENDING}"


def remove_temporaries(folder: Path, is_dead: Callable[[str], bool]) -> None:
    """Removes what processes that were killed have left half written.

    Args:
        folder: Where they published.
        is_dead: Tells of a worker's name whether it is no more.
    """
    for path in folder.glob(f"{_TEMPORARY_PREFIX}*{_TEMPORARY_ENDING}"):
        name = path.name.removeprefix(_TEMPORARY_PREFIX).removesuffix(_TEMPORARY_ENDING)
        if not is_dead(name.rpartition("-")[0]):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)  # it was to show that a folder can be made
        else:
            path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    is_folder = path.is_dir()
    if os.name == "nt" and is_folder:
        return  # Windows cannot open folders
    # Nor does it sync what is open for reading only.
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError:
        if not is_folder:  # some network file systems refuse to sync folders
            raise
    finally:
        os.close(descriptor)


def concerns_all(error: BaseException, folder: Path) -> bool:
    """Whether an error while a file was written means that no other could be written either.

    The disk is full, or a quota; it went read-only, or the folder is gone.
    """
    if not isinstance(error, OSError):
        return False
    return error.errno in _HOPELESS or not folder.is_dir()


_HOPELESS = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO, errno.ENOTCONN}


def check_output_folder(folder: Path) -> None:
    """Makes sure that a folder can be created and written, and leaves nothing behind.

    Permissions do not tell: an administrator has them all, on read-only media too. So the same
    folders are made inside a temporary one, where no other run can see them.

    Raises:
        InputError: It cannot.
    """
    try:
        place = folder
        while not (place.exists() or place.is_symlink()):
            place = place.parent
        if not place.is_dir():
            raise _refused(f"{_named(folder)} cannot be made: {_named(place)} is not a folder")
        probe = place / _temporary_name()
        probe.mkdir()
        try:
            (probe / folder.relative_to(place)).mkdir(parents=True, exist_ok=True)
        finally:
            shutil.rmtree(probe)
    except OSError as error:
        raise _refused(f"{_named(folder)} cannot be written: {error.strerror}") from None


def check_output_names(folder: Path, names: Iterable[str]) -> None:
    """Makes sure that files of such names can be put into a folder, as far as their length goes.

    Raises:
        InputError: The longest path is longer than the system allows.
    """
    longest = max([*names, " " * TEMPORARY_LENGTH], key=lambda name: len(os.fsencode(name)))
    try:
        os.lstat(folder / longest)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise _refused(
                f"{_named(folder)} is too long for files in it: {error.strerror}"
            ) from None


def _named(path: Path) -> str:
    """A path for a message, cut where it would hide the rest of it."""
    text = str(path)
    return f"'{text}'" if len(text) <= MAX_NAMED else f"'{text[:MAX_NAMED]}...'"


def _refused(what: str) -> InputError:
    return InputError(Problem("output.output_dir", what))
