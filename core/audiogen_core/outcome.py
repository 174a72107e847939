"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from audiogen_core.job import Job


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        planned: How many outputs the config asks for.
        written: The finished files.
        failures: The outputs that could not be made, each with its cause.
        there_before: How many stood already.
        made_elsewhere: How many other processes made meanwhile.
        interrupted: Whether the user ended it.
        stopped: Why no output could be written any more; None where that is not so.
        notes: What the user should know at the end; observers may add to it.
    """

    planned: int
    written: list[Path] = field(default_factory=list)
    failures: list[tuple[Job, str]] = field(default_factory=list)
    there_before: int = 0
    made_elsewhere: int = 0
    interrupted: bool = False
    stopped: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many outputs were not tried."""
        tried = len(self.written) + len(self.failures)
        return self.planned - self.there_before - self.made_elsewhere - tried
