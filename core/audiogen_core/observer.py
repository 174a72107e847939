"""What a run tells whoever started it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from audiogen_core.jobs import Job

Downloaded = Callable[[int, int | None], None]
"""Is told how many bytes of a file have arrived, and of how many; None where that is not known."""


def unreported(done: int, total: int | None) -> None:
    """Tells nobody how a download goes."""


class Observer(Protocol):
    """Is told how a run goes."""

    def stage(self, what: str) -> None:
        """A new stage begins: ``loading the model``."""

    def note(self, what: str) -> None:
        """Something the user should know."""

    def downloaded(self, done: int, total: int | None) -> None:
        """So many bytes of the file that is being downloaded have arrived."""

    def planned(self, outputs: int) -> None:
        """The run will write this many files."""

    def step(self, done: int, total: int | None) -> None:
        """The sampler finished a step of the current batch."""

    def written(self, path: Path) -> None:
        """An output is whole and in its place."""

    def failed(self, job: Job, cause: str) -> None:
        """An output could not be made."""
