"""Writes files whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from audiogen_core.errors import InputError, Problem

_TEMPORARY_PREFIX = ".audiogen-"


def publish(path: Path, write: Callable[[Path], None]) -> None:
    """Lets ``write`` fill a temporary file beside ``path``, then puts it in its place.

    The file is synced before it is renamed; when anything fails nothing is left behind and
    what stood at ``path`` before still stands.

    Raises:
        OSError: The folder cannot be written.
        Exception: Whatever ``write`` raises.
    """
    temporary = path.with_name(f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}.part")
    # O_EXCL follows no planted link; the mode leaves the permissions to the user's umask.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some network file systems refuse to sync folders
            raise
    finally:
        os.close(descriptor)


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
            raise _refused(f"'{folder}' cannot be made: '{place}' is not a folder")
        probe = place / f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}"
        probe.mkdir()
        try:
            (probe / folder.relative_to(place)).mkdir(parents=True, exist_ok=True)
        finally:
            shutil.rmtree(probe)
    except OSError as error:
        raise _refused(f"'{folder}' cannot be written: {error.strerror}") from None


def _refused(what: str) -> InputError:
    return InputError(Problem("output.output_dir", what))
