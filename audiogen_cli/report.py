"""``audiogen report``: a page to listen with, made of what stands in an output folder."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from audiogen_core.errors import AudiogenError, UsageError
from audiogen_core.terminal import tell

SECONDS_BETWEEN_LINES = 5.0
"""How often a long folder reports how it comes along."""


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Output folder, of any number of runs.")
    ],
) -> None:
    """Make report.html in an output folder: one page to listen, compare and mark with.

    It shows every audio file there with what its metadata or its tags say. The path of the page
    goes to standard output. Exit codes: 0 it is made, 1 it cannot be written, 2 wrong usage.
    """
    from audiogen_plugins.observers.report.observer import pillow_lacks

    if lacking := pillow_lacks():
        raise UsageError(lacking)
    if not os.path.isdir(folder):  # noqa: PTH112, its name may be too long
        raise UsageError(f"'{folder}' is not a folder")
    from audiogen_plugins.observers.report.folder import write_report

    started = time.monotonic()
    lines = 0

    def progress(done: int, total: int) -> None:
        nonlocal lines
        if time.monotonic() - started >= (lines + 1) * SECONDS_BETWEEN_LINES:
            lines += 1
            tell(f"read {done} of {total} files")

    try:
        path = write_report(folder, tell=progress)
    except OSError as error:
        raise AudiogenError(f"'{folder}': no report can be made: {error.strerror}") from None
    sys.stdout.write(f"{path}\n")
