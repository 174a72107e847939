"""The page: its template filled with data, and what an earlier page still knows."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from audiogen_core.errors import UsageError
from audiogen_plugins.observers.report.measured import Known, believed

NAME = "report.html"

GENERATOR = b'<meta name="generator" content="audiogen report">'
"""What shows that a file is ours, and may be replaced."""

DATA_STARTS, DATA_ENDS = b'<script type="application/json" id="data">', b"</script>"

MAX_PAGE = 1 << 30
"""Bytes of an earlier page that are read: of a hundred thousand outputs there are fewer."""

TEMPLATE = files("audiogen_plugins.observers.report") / "template"
SCRIPTS = ("library.js", "marks.js", "pictures.js", "list.js", "player.js", "export.js", "page.js")
"""In the order in which they build on each other."""


def page(data: Mapping[str, Any]) -> bytes:
    """The whole page.

    Args:
        data: What is shown, as JSON.
    """
    script = "\n".join(_template(name) for name in SCRIPTS)
    style = _template("page.css")
    parts = {
        "policy": _policy(script, style),
        "style": style,
        # Nothing in it can end the element that it stands in, whatever prompts hold.
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "script": script,
    }
    # Split before anything is put in: a prompt may look like a place.
    pieces = re.split(r"\{\{(\w+)\}\}", _template("page.html"))
    pieces[1::2] = [parts[name] for name in pieces[1::2]]
    return "".join(pieces).encode("utf-8")


def _template(name: str) -> str:
    return (TEMPLATE / name).read_text("utf-8")


def _policy(script: str, style: str) -> str:
    """What the page may do: run its own script, and load the audio beside it."""

    def hashed(text: str) -> str:
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    return (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; "
        "img-src data:; media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def earlier(path: Path) -> tuple[bytes, Known]:
    """A page that stands, and what it knows of sounds.

    Returns:
        Its content, empty where there is none, and what was measured, which may be nothing.

    Raises:
        UsageError: What stands there is no report.
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PAGE)
    except FileNotFoundError:
        return b"", {}
    if GENERATOR not in content[:1000]:
        raise UsageError(f"{path}: exists already and is no report: move it away")
    return content, _known(content.partition(DATA_STARTS)[2].partition(DATA_ENDS)[0])


def _known(text: bytes) -> Known:
    known: Known = {}
    try:
        outputs = json.loads(text)["outputs"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return known
    for output in outputs if isinstance(outputs, list) else []:
        match output:
            case {"file": str(name), "state": [int(size), str(changed)], "measured": dict(content)}:
                measured = believed(content)
                if measured is not None and re.fullmatch(r"[0-9]{1,19}", changed):
                    known[name, size, int(changed)] = measured
    return known
