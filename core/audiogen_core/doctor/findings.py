"""What a check found, in words and as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Mark(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Something is missing, but generating works without it."""

    PROBLEM = "problem"
    """Generating does not work."""


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        mark: How good it is.
        name: What was looked at.
        text: What was found.
        hint: What would help; empty where nothing need be done. It may have several lines.
        value: The same as data, for programs: a version, a number of bytes.
    """

    mark: Mark
    name: str
    text: str
    hint: str = ""
    value: Any = None

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return asdict(self)


def ok(name: str, text: str, value: Any = None) -> Finding:
    """A finding that all is well."""
    return Finding(Mark.OK, name, text, value=value)


def warning(name: str, text: str, hint: str = "", value: Any = None) -> Finding:
    """A finding that something is missing."""
    return Finding(Mark.WARNING, name, text, hint, value)


def problem(name: str, text: str, hint: str = "", value: Any = None) -> Finding:
    """A finding that generating does not work."""
    return Finding(Mark.PROBLEM, name, text, hint, value)
