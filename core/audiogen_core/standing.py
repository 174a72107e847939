"""Which outputs of a plan stand already, and what else stands where they shall."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from enum import StrEnum

from audiogen_core.compact import Indexes
from audiogen_core.errors import InputError, Problem
from audiogen_core.job import Job
from audiogen_core.joblist import JobList
from audiogen_core.names import same_name
from audiogen_core.on_existing import OnExisting
from audiogen_core.runfolder.folder import Record, RunFolder
from audiogen_core.storage.interface import Storage

SHOWN = 3
"""How many names a message holds."""


class State(StrEnum):
    """How an output stands."""

    FREE = "free"
    DONE = "done"
    BEGUN = "begun"
    """Made from the same, but not whole."""
    FOREIGN = "foreign"
    """Something else has its name."""


class Standing:
    """What stands in an output folder.

    Args:
        folder: The folder, for what runs have written down.
        storage: Where the outputs are.
        extension: Of the audio files.
        with_metadata: Whether a JSON file belongs to each.

    Raises:
        OSError: The folder cannot be read.
    """

    def __init__(
        self, folder: RunFolder, storage: Storage, extension: str, *, with_metadata: bool
    ) -> None:
        self._folder = folder
        self._storage = storage
        self._extension = extension
        self._with_metadata = with_metadata
        self._names = set(storage.names())
        # Files are written down before they stand, so that the journals are read after the names.
        folder.refresh()
        # Where file systems ignore case or Unicode form, a name is taken by its likes too.
        self._likes = {same_name(name): name for name in self._names}

    def look_again(self, jobs: Iterable[Job]) -> None:
        """Sees what has become of some outputs since."""
        for job in jobs:
            for ending in (self._extension, ".json"):
                name = f"{job.stem}{ending}"
                if self._storage.stands(name):
                    self._names.add(name)
                    self._likes.setdefault(same_name(name), name)
                else:
                    self._names.discard(name)
                    if self._likes.get(same_name(name)) == name:
                        del self._likes[same_name(name)]
        self._folder.refresh()

    def state(self, job: Job) -> State:
        """How an output stands."""
        audio, metadata = self._found(job.stem, self._extension), self._found(job.stem, ".json")
        if not self._with_metadata:
            metadata = None
        if audio is None and metadata is None:
            return State.FREE
        written_down = self._folder.record(f"{job.stem}{self._extension}")
        size = (0 if audio is None else self._storage.size(audio)) or 0
        described = None if metadata is None else self._described(metadata, written_down, size)
        if metadata is not None and (described is None or described.identity != job.identity):
            return State.FOREIGN
        record = written_down or described
        if record is None or record.identity != job.identity:
            return State.FOREIGN
        if record.size is not None and size > record.size:
            # What has grown is no remainder: somebody has put something else there.
            return State.FOREIGN
        whole = size == record.size and (metadata is not None or not self._with_metadata)
        return State.DONE if whole else State.BEGUN

    def _found(self, stem: str, ending: str) -> str | None:
        """The name that stands for an output's file, if any."""
        name = f"{stem}{ending}"
        return name if name in self._names else self._likes.get(same_name(name))

    def _described(self, name: str, written_down: Record | None, size: int) -> Record | None:
        """What a metadata file says of its output; None where it is no such file."""
        # Audio of another size is not what this machine wrote down.
        if self._storage.COSTLY and written_down is not None and written_down.size == size:
            return written_down
        content = self._storage.metadata(name)
        try:
            found = None if content is None else json.loads(content)
        except (ValueError, RecursionError):
            return None
        match found:
            case {"identity": str(identity), "output": {"bytes": int(size)}}:
                return Record(identity, size)
        return None


def settle(
    jobs: Sequence[Job],
    standing: Standing,
    on_existing: OnExisting,
    extension: str,
    planned: Iterable[Job],
) -> tuple[Sequence[Job], Set[int]]:
    """Decides about outputs whose names are taken.

    Args:
        jobs: The outputs.
        standing: What stands where they shall.
        on_existing: What the user wants.
        extension: Of the audio files.
        planned: The whole plan, of other shards too: none of its names is free.

    Returns:
        The outputs, with their final names, and the indexes of those that are done.

    Raises:
        InputError: Some may not be made.
    """
    done = Indexes()
    in_the_way: list[Job] = []
    taken: set[str] = set()
    renamed: dict[int, Job] = {}
    for index, one in enumerate(jobs):
        job, state = one, standing.state(one)
        if on_existing is OnExisting.RENAME and state is State.FOREIGN:
            taken = taken or {same_name(other.stem) for other in planned}
            job, state = _renamed(job, standing, taken)
            renamed[index] = job
        refused = {OnExisting.SKIP: {State.FOREIGN}, OnExisting.ERROR: set(State) - {State.FREE}}
        if state in refused.get(on_existing, ()):
            in_the_way.append(job)
        elif state is State.DONE:
            done.add(job.index)
    if in_the_way:
        raise InputError(_problem(in_the_way, on_existing, extension))
    if renamed:
        jobs = JobList(renamed.get(index, job) for index, job in enumerate(jobs))
    return jobs, done


def _renamed(job: Job, standing: Standing, taken: set[str]) -> tuple[Job, State]:
    number = 1
    while True:
        number += 1
        other = replace(job, stem=f"{job.stem}-{number}")
        if same_name(other.stem) in taken:
            continue
        state = standing.state(other)
        if state is not State.FOREIGN:
            taken.add(same_name(other.stem))
            return other, state


def _problem(jobs: Sequence[Job], on_existing: OnExisting, extension: str) -> Problem:
    names = ", ".join(f"'{job.stem}{extension}' ({job.where})" for job in jobs[:SHOWN])
    if len(jobs) > SHOWN:
        names += f" and {len(jobs) - SHOWN} more"
    if on_existing is OnExisting.ERROR:
        return Problem("output.output_dir", f"holds what would be made: {names}")
    return Problem(
        "output.output_dir",
        f"holds files of the same names that were made from something else: {names}; "
        "choose another folder, or --on-existing overwrite to replace them, or rename to keep both",
    )
