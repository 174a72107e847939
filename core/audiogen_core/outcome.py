"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from audiogen_core.jobs import Job


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        planned: How many outputs it was to make.
        written: The finished files.
        failures: The outputs that could not be made, each with its cause.
        interrupted: Whether the user ended it.
    """

    planned: int
    written: list[Path] = field(default_factory=list)
    failures: list[tuple[Job, str]] = field(default_factory=list)
    interrupted: bool = False

    @property
    def left(self) -> int:
        """How many outputs were not tried."""
        return self.planned - len(self.written) - len(self.failures)
