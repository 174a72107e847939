"""Messages, in lines that a terminal need not break in the middle of a word."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TextIO

WIDEST = 80
"""Columns of text that is laid out: longer lines are harder to read."""

NARROWEST = 40
"""Columns below which a terminal breaks lines itself: words would stand alone."""


def tell(text: str) -> None:
    """Writes a message to standard error."""
    sys.stderr.write(fitted(f"{text}\n", sys.stderr))


def drawable(stream: TextIO) -> bool:
    """Whether a stream leads to a terminal that moves its cursor and has colours."""
    return stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def fitted(text: str, stream: TextIO) -> str:
    """The text in lines that fit a terminal; as it is where the stream leads elsewhere.

    What continues a line is indented two columns more than the line. A path or another long word
    stays whole, so that it can be copied.
    """
    width = _width(stream)
    if width < NARROWEST:
        return text
    return "".join(_broken(line, width) for line in text.splitlines(keepends=True))


def text_width() -> int:
    """The columns for text on standard output: `WIDEST`, or fewer on a narrower terminal."""
    width = _width(sys.stdout)
    return min(width, WIDEST) if width >= NARROWEST else WIDEST


def _width(stream: TextIO) -> int:
    """The columns of the terminal that a stream leads to; 0 where it leads to none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        return 0


def _broken(line: str, width: int) -> str:
    words = line.strip()
    if len(line.rstrip("\n")) <= width or not words:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    body = textwrap.fill(
        words,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return body + line[len(line.rstrip("\n")) :]
