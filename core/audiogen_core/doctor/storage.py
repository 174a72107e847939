"""Room on the disks that generating writes to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from audiogen_core.doctor.findings import Finding, ok, problem, warning
from audiogen_core.sizes import size

LOW = 2**30
"""Bytes: an hour and a half of uncompressed stereo, but no model of full size."""


def storage() -> Iterator[Finding]:
    """Looks at the working directory, the temporary folder and the Hub's cache."""
    from huggingface_hub import constants

    yield _room("working directory", Path.cwd())
    try:
        yield _room("temporary folder", Path(tempfile.gettempdir()))
    except OSError as error:
        hint = "Set TMPDIR to a folder that can be written."
        yield problem("temporary folder", f"there is none: {error.strerror}", hint)
    yield _room("Hub cache", Path(constants.HF_HUB_CACHE))


def _room(name: str, folder: Path) -> Finding:
    place = folder
    while not place.is_dir() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    value = {"folder": str(folder), "free": free}
    text = f"{size(free)} free in {folder}"
    if not os.access(place, os.W_OK):
        hint = "Write elsewhere: output.output_dir for outputs, HF_HOME for the Hub's cache."
        return warning(name, f"{place} cannot be written", hint, value)
    if free < LOW:
        return warning(name, text, "Make room, or write elsewhere.", value)
    return ok(name, text, value)
