"""Brings finished outputs to where they belong, when that is not the folder they are made in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.storage.remote import RemoteStorage
from audiogen_core.storage.shared import marker, marker_of

if TYPE_CHECKING:
    from audiogen_core.job import Job
    from audiogen_core.outcome import Outcome


class Upload(Observer):
    """Uploads each output: the audio, then its metadata, with which it is done.

    Args:
        storage: Where to.
    """

    NAME = "upload"
    REQUIRED = True

    def __init__(self, storage: RemoteStorage) -> None:
        super().__init__()
        self._storage = storage
        self._uploaded: list[Path] = []

    def sample_done(self, output: Output) -> None:
        """Uploads it. The local files go when the others have been told of it too."""
        beside = output.folder / f"{output.job.stem}.json"
        described = beside.relative_to(output.folder).as_posix()
        if self._storage.size(described) is not None:
            self._storage.remove(described)  # no metadata ever describes another audio
        name = output.path.relative_to(output.folder).as_posix()
        self._storage.write(marker_of(name), marker(name, output.job.identity))
        self._storage.put(output.path, name)
        self._uploaded.append(output.path)
        self._storage.put(beside, described)
        self._uploaded.append(beside)
        self._storage.remove(marker_of(name))

    def batch_started(self, jobs: Sequence[Job]) -> None:
        """Removes what is uploaded."""
        del jobs
        self._remove()

    def run_ended(self, outcome: Outcome) -> None:
        """Removes what is uploaded."""
        del outcome
        self._remove()

    def _remove(self) -> None:
        for path in self._uploaded:
            path.unlink(missing_ok=True)
        self._uploaded.clear()
