"""The outputs that could not be made, in a file that people and the next run can read."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

from audiogen_core.job import Job
from audiogen_core.publishing import publish

NAME = "failures.jsonl"


class FailureLog:
    """``failures.jsonl`` of an output folder: an object a line, for each failure.

    Args:
        folder: The output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def append(self, job: Job, cause: str) -> None:
        """Writes down that an output could not be made.

        Raises:
            OSError: The file cannot be written.
        """
        record = {
            "identity": job.identity,
            "name": job.stem,
            "sample": job.where,
            "seed": job.seed,
            "cause": cause,
            "conditioning": dict(job.values),
        }
        line = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace")
        # A planted link is not followed.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(self.path, flags, 0o666), "r+b", buffering=0) as file:
            file.write(_end_of_line(file) + line + b"\n")
            os.fsync(file.fileno())

    def identities(self) -> set[str]:
        """Those of the outputs that are written down."""
        return {record["identity"] for record in self.records()}

    def records(self) -> list[dict[str, Any]]:
        """What is written down of each, in the order in which they failed."""
        return [record for record, _ in self._lines()]

    def forget(self, done: Collection[str]) -> None:
        """Takes out what has been made since, and the file when nothing is left.

        Args:
            done: The identities of outputs that stand.

        Raises:
            OSError: The file cannot be written.
        """
        lines = self._lines()
        kept = [line for record, line in lines if record["identity"] not in done]
        if not lines or len(kept) == len(lines):
            return
        if kept:
            publish(self.path, lambda file: _write(file, kept))
        else:
            self.path.unlink(missing_ok=True)

    def _lines(self) -> list[tuple[dict[str, Any], bytes]]:
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError:
            return []
        found = []
        for line in lines:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and isinstance(record.get("identity"), str):
                found.append((record, line))
        return found


def _write(file: Path, lines: list[bytes]) -> None:
    file.write_bytes(b"".join(line + b"\n" for line in lines))


def _end_of_line(file: BinaryIO) -> bytes:
    """What ends the last line of a file: it may have been cut when a process was killed."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"
