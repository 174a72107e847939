"""``audiogen doctor``: what this machine can do, and what is broken."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from audiogen_cli.arguments import AsJson
from audiogen_core.terminal import drawable, text_width

if TYPE_CHECKING:
    from audiogen_core.doctor.examine import Section
    from audiogen_core.doctor.findings import Finding

MARK_WIDTH = 9
NAME_WIDTH = 19
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def doctor(
    as_json: AsJson = False,
    online: Annotated[
        bool, typer.Option("--online", help="Also ask the Hugging Face Hub whether it answers.")
    ] = False,
) -> None:
    """Check this machine: software, devices, memory, disks, plugins, formats, the Hub's cache.

    Each check really tries what it reports, in a process of its own; the last one generates a
    sound. Nothing is asked of the network without --online. Exit codes: 0 generating works,
    1 something that it needs is broken.
    """
    from audiogen_core.doctor.examine import examine

    sections: list[Section] = []
    for section in examine(online=online):
        sections.append(section)
        if not as_json:
            sys.stdout.write(_text(section))
            sys.stdout.flush()
    works = all(section.works for section in sections)
    if as_json:
        data = {
            "works": works,
            "sections": {
                section.name: [one.as_json() for one in section.findings] for section in sections
            },
        }
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
    else:
        sys.stdout.write(_verdict(sections))
    if not works:
        raise typer.Exit(1)


def _verdict(sections: list[Section]) -> str:
    marks = [one.mark for section in sections for one in section.findings]
    counts = [
        f"{count} {mark}{'s' * (count != 1)}"
        for mark in ("problem", "warning")
        if (count := sum(one == mark for one in marks))
    ]
    works = all(section.works for section in sections)
    return f"Generating {'works' if works else 'does not work'}: {', '.join(counts) or 'all ok'}.\n"


def _text(section: Section) -> str:
    lines: list[str] = []
    hints: set[str] = set()
    for one in section.findings:
        # Formats of one codec share what would help: it is shown once.
        lines += _lines(replace(one, hint="  (as above)") if one.hint in hints else one)
        hints |= {one.hint} - {""}
    return "\n".join([section.name.capitalize(), *lines]) + "\n\n"


def _lines(finding: Finding) -> list[str]:
    """The finding: its mark, its name, and beside them its text and what would help."""
    margin = 2 + MARK_WIDTH + NAME_WIDTH
    texts = [line for text in (finding.text, finding.hint) for line in text.splitlines()]
    body = [part for text in texts for part in _wrapped(text, text_width() - margin)]
    mark = _coloured(finding.mark, finding.mark.ljust(MARK_WIDTH))
    names = _wrapped(finding.name, NAME_WIDTH - 1)
    rows = max(len(names), len(body))
    names += [""] * (rows - len(names))
    body += [""] * (rows - len(body))
    return [
        f"  {mark if row == 0 else ' ' * MARK_WIDTH}{name.ljust(NAME_WIDTH)}{text}".rstrip()
        for row, (name, text) in enumerate(zip(names, body, strict=True))
    ]


def _wrapped(text: str, width: int) -> list[str]:
    printable = "".join(one if one.isprintable() else " " for one in text)
    indent = printable[: len(printable) - len(printable.lstrip())]
    return textwrap.wrap(printable, width, subsequent_indent=indent, break_on_hyphens=False)


def _coloured(mark: str, text: str) -> str:
    """The text in the colour of a mark, where a person looks at it and wants colours."""
    if os.environ.get("NO_COLOR") or not drawable(sys.stdout):
        return text
    return typer.style(text, fg=COLOURS[mark])
