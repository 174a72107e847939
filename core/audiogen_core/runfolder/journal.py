"""Lines that are only ever appended, each with its checksum: what is damaged is not believed.

A line is the CRC-32 of what follows in eight hexadecimal digits, a space, and a JSON object. A cut
or a changed byte costs the lines that it touches and no other; nobody appends to another's file,
so that what follows a cut line is never joined to it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

ENDING = ".journal"


def line_of(record: Mapping[str, Any]) -> bytes:
    """A record as a line."""
    text = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def records_of(lines: bytes) -> Iterator[dict[str, Any]]:
    """The records of those lines that are whole."""
    for line in lines.split(b"\n"):
        checksum, _, text = line.partition(b" ")
        if len(checksum) != 8 or b"%08x" % zlib.crc32(text) != checksum:
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            continue  # not of our making: whoever wrote it knows how to make checksums
        if isinstance(record, dict):
            yield record


class Journal:
    """A journal that is being written.

    Args:
        path: A file that does not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb", buffering=0)

    def append(self, *records: Mapping[str, Any]) -> None:
        """Appends records, and returns when they are on the disk.

        Raises:
            OSError: They are not.
        """
        rest = memoryview(b"".join(map(line_of, records)))
        while rest:  # near the end of a disk, less is written than was asked for
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Journals:
    """All journals of a folder, read as they grow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}

    def new_records(self) -> Iterator[dict[str, Any]]:
        """The records that were appended since the last call."""
        gone = True
        while gone:
            gone = False
            try:
                paths = sorted(self._folder.glob(f"*{ENDING}"))
            except OSError:
                return
            for path in paths:
                start = self._read.get(path.name, 0)
                try:
                    with path.open("rb") as file:
                        file.seek(start)
                        lines = file.read()
                except FileNotFoundError:
                    # Another process has copied it into its own, which may have been read before.
                    gone = True
                    continue
                except OSError:
                    continue
                # A line that is being written is read when it is whole.
                whole = lines.rfind(b"\n") + 1
                self._read[path.name] = start + whole
                yield from records_of(lines[:whole])
