"""Writes the manifest of a folder, of what stands there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from audiogen_core.errors import UsageError
from audiogen_core.publishing import publish
from audiogen_core.storage.interface import MAX_METADATA
from audiogen_plugins.observers.report.described import audio_files, described

LOOKS = 5
"""How often a list is made at most while others add to the folder: they make one at their end."""

ROWS = 1024
"""How many rows of a table are in memory at once."""

COLUMNS = {
    "file": "string",
    "identity": "string",
    "prompt": "string",
    "negative_prompt": "string",
    "seed": "int64",
    "seconds": "float64",
    "channels": "int32",
    "sample_rate": "int32",
    "bytes": "int64",
    "file_format": "string",
    "sampler_type": "string",
    "steps": "int32",
    "cfg_scale": "float64",
    "metadata": "string",
}
"""The columns of a table with Arrow's types; the last has all of the metadata as JSON."""


def write_manifest(folder: Path, name: Literal["jsonl", "parquet"]) -> Path:
    """Lists every output of a folder, sorted by name, with what is known of it.

    Files that say nothing of how they were made are left out. Another process may finish outputs,
    or a list, meanwhile: the list is made again, up to `LOOKS` times, until it holds what stands
    when it is in its place.

    Args:
        folder: An output folder.
        name: The format, and the ending of the file.

    Returns:
        The file, ``manifest.jsonl`` or ``manifest.parquet``.

    Raises:
        UsageError: What stands in its place is no such list.
        OSError: The folder cannot be read, or not be written.
    """
    path = folder / f"manifest.{name}"
    if path.exists() and not (_is_lines(path) if name == "jsonl" else _is_table(path)):
        raise UsageError(f"{path}: exists already and is no list of outputs: move it away")
    write = _write_lines if name == "jsonl" else _write_table
    files = _outputs(folder)
    for _ in range(LOOKS):
        publish(path, partial(write, _records(folder, files)))
        if (now := _outputs(folder)) == files:
            break
        files = now
    return path


def _is_lines(path: Path) -> bool:
    """Whether a file is empty or begins with a record of an output."""
    with path.open("rb") as lines:
        first = lines.readline(2 * MAX_METADATA)
    try:
        record = json.loads(first or "{}")
    except (ValueError, RecursionError):
        return False
    return not first or (isinstance(record, dict) and {"file", "identity"} <= record.keys())


def _is_table(path: Path) -> bool:
    import pyarrow
    from pyarrow.parquet import read_schema

    try:
        return list(COLUMNS) == list(read_schema(path).names)
    except pyarrow.ArrowException:
        return False


def _outputs(folder: Path) -> list[str]:
    """The audio files of a folder, each as a path below it."""
    return sorted(path.relative_to(folder).as_posix() for path in audio_files(folder))


def _records(folder: Path, files: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What is known of each output."""
    for file in files:
        try:
            found = described(folder / file)
        except Exception:  # noqa: S112, an audio file of somebody else, or damaged
            continue
        if found is not None and isinstance(found.get("identity"), str):
            yield {"file": file, **found}


def _write_lines(records: Iterator[dict[str, Any]], file: Path) -> None:
    with file.open("w", encoding="utf-8", errors="backslashreplace") as lines:
        for record in records:
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")


def _write_table(records: Iterator[dict[str, Any]], file: Path) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = pyarrow.schema(list(COLUMNS.items()))
    with ParquetWriter(file, schema) as table:
        while rows := [_row(record) for record in islice(records, ROWS)]:
            table.write_table(pyarrow.Table.from_pylist(rows, schema))


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an output; null for what has not the column's type."""
    parts = [record, *(record.get(key) for key in ("conditioning", "generation_config", "output"))]
    known: dict[str, Any] = {}
    for part in reversed(parts):
        known.update(part if isinstance(part, dict) else {})
    row = {key: _fit(known.get(key), kind) for key, kind in COLUMNS.items()}
    metadata = {key: value for key, value in record.items() if key != "file"}
    return {**row, "metadata": json.dumps(metadata)}


def _fit(value: Any, kind: str) -> Any:
    """A value of a column's type: files may say anything of themselves."""
    if kind == "string":
        return (
            value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else None
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind == "float64":
        return float(value) if abs(value) <= sys.float_info.max else None
    bits = int(kind.removeprefix("int")) - 1
    return value if isinstance(value, int) and -(2**bits) <= value < 2**bits else None
