"""``audiogen manifest``: one file that lists every output of a folder with its metadata."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from audiogen_core.errors import AudiogenError, UsageError


class ManifestFormat(StrEnum):
    """How the list is written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


def manifest(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Output folder, of any number of runs.")
    ],
    name: Annotated[
        ManifestFormat, typer.Option("--format", help="JSON, an object a line, or a table.")
    ] = ManifestFormat.JSONL,
) -> None:
    """List every output of a folder with its metadata in one file, manifest.jsonl or .parquet.

    The path of the list goes to standard output. Exit codes: 0 it is made, 1 it cannot be written,
    2 wrong usage.
    """
    from audiogen_plugins.observers.manifest.observer import lacks

    if lacking := lacks(name.value):
        raise UsageError(lacking)
    if not os.path.isdir(folder):  # noqa: PTH112, its name may be too long
        raise UsageError(f"'{folder}' is not a folder")
    from audiogen_plugins.observers.manifest.files import write_manifest

    try:
        path = write_manifest(folder, name.value)
    except OSError as error:
        raise AudiogenError(f"'{folder}': no manifest can be made: {error.strerror}") from None
    sys.stdout.write(f"{path}\n")
