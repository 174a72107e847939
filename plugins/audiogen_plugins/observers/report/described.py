"""What is known of an audio file: the metadata beside it, or else the tags in it."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audiogen_core.storage.interface import MAX_METADATA
from audiogen_core.tags import read_tags, settings_in

SHARD_DIR = re.compile(r"[0-9a-f]{1,4}")
"""The names of the subfolders that ``output.shard_dirs`` makes."""

AUDIO = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac", ".aiff", ".aif")
"""Endings of audio that is shown whatever is known of it; any other needs metadata beside it."""


def audio_files(folder: Path) -> Iterator[Path]:
    """The audio files of a folder and its `SHARD_DIR`s, in the order in which they were made.

    Raises:
        OSError: The folder cannot be read.
    """
    found = []
    for path in _files(folder):
        if path.name.startswith(".") or path.suffix == ".json":
            continue
        try:
            state = path.stat()
        except OSError:
            continue  # a link to what is gone, or gone since
        if stat.S_ISREG(state.st_mode) and (
            path.suffix.lower() in AUDIO or _beside(path) is not None
        ):
            found.append((state.st_mtime_ns, path.name, path))
    for _, _, path in sorted(found):
        yield path


def _files(folder: Path) -> Iterator[Path]:
    """What stands in a folder, and in the subfolders that `names.shard_dir` calls so."""
    for path in folder.iterdir():
        if SHARD_DIR.fullmatch(path.name) and path.is_dir():
            yield from path.iterdir()
        else:
            yield path


def described(path: Path) -> Mapping[str, Any] | None:
    """The metadata of an audio file; None where nothing is known of it."""
    beside = _beside(path)
    if beside is not None:
        return beside
    try:
        settings = settings_in(read_tags(path))
    except (OSError, ValueError):
        return None
    return _metadata(settings) if settings else None


def _beside(path: Path) -> Mapping[str, Any] | None:
    """The metadata beside a file, unless it says that it is of one of another size."""
    file = path.with_suffix(".json")
    try:
        state = file.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_METADATA:
            return None
        content = _metadata(file.read_bytes())
        match content:
            case {"output": {"bytes": int(count)}} if count != path.stat().st_size:
                return None
    except OSError:
        return None
    return content


def _metadata(text: str | bytes) -> Mapping[str, Any] | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match content:
        case {"generation_config": dict(), "conditioning": dict()}:
            return dict(content)
    return None
