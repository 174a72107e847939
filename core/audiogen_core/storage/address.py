"""Addresses of output folders, like ``s3://bucket/sounds``."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_FILE = "file://"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_address(output_dir: str) -> bool:
    """Whether an output folder is an address like ``s3://bucket/sounds``, and no path.

    ``file:///sounds`` is a path.
    """
    return _ADDRESS.match(output_dir) is not None and not output_dir.startswith(_FILE)


def local_folder(output_dir: str) -> Path:
    """The folder that a run works in: the output folder, or for an address its `workshop`."""
    if is_address(output_dir):
        return workshop(output_dir)
    if output_dir.startswith(_FILE):
        return Path(url2pathname(urlsplit(output_dir).path))
    return Path(output_dir).expanduser()


def address_problem(output_dir: str) -> str | None:
    """What is wrong with an address, without asking anybody; None where nothing is, or it is none.

    One of a file, ``file:///sounds``, is a folder of this machine.
    """
    if _ADDRESS.match(output_dir) is None:
        return None
    try:
        parts = urlsplit(output_dir)
        _ = parts.port
    except ValueError as error:
        return f"is no address: {error}"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password: they belong where the store's own tools look for them"
    if parts.query or parts.fragment:
        return "must be an address without '?' and '#'"
    if output_dir.startswith(_FILE):
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
            return "must be a folder of this machine, file:///folder, with three slashes"
        return "holds a null character" if "\0" in url2pathname(parts.path) else None
    if not parts.netloc + parts.path.strip("/"):
        return "names no place in the store, like s3://bucket/folder"
    return None


def workshop(output_dir: str) -> Path:
    """The local folder that outputs for an address are made in: the same in each run of a user."""
    name = hashlib.sha256(output_dir.rstrip("/").encode()).hexdigest()[:16]
    return cache_folder() / "remote" / name


def cache_folder() -> Path:
    """Where a user's files are kept that can be made again."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cached / "audiogen"
