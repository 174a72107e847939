"""The hidden folder of an output folder: what was made there, and what is being made."""

from __future__ import annotations

import errno
import secrets
import stat
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from audiogen_core.errors import InputError, Problem
from audiogen_core.publishing import remove_temporaries
from audiogen_core.runfolder import HIDDEN
from audiogen_core.runfolder.claims import Claims
from audiogen_core.runfolder.journal import ENDING, Journal, Journals, line_of, records_of
from audiogen_core.runfolder.once import create_once, read_whole, remove_unfinished
from audiogen_core.runfolder.workers import ENDING as ALIVE
from audiogen_core.runfolder.workers import Heartbeat, is_alive, this_worker

SEEDS = "seeds"

_WRITTEN: set[str] = set()
"""The journals that runs of this process are writing now: those that it has ended are left."""


@dataclass(frozen=True)
class Record:
    """What the journals say about a file of the output folder.

    Attributes:
        identity: What it was made from.
        size: Its bytes; None when it was begun, and nobody knows whether it was finished.
        turn: How often it was begun. Each process counts on from what it knows, so that of two
            records it is plain which is older, whatever the clocks say.
    """

    identity: str
    size: int | None
    turn: int = 0


class RunFolder:
    """An output folder, as the runs before this one left it. Reading it changes nothing.

    Args:
        path: The output folder, which need not exist.
        anew: Whether to draw another key for seeds.

    Attributes:
        key: What seeds are drawn from.
        has_key: Whether a run has fixed it, here or at the address.

    Raises:
        InputError: The key that seeds are drawn from is damaged.
    """

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        self.path = path
        self.hidden = path / HIDDEN
        self._journals = Journals(self.hidden)
        self._records: dict[str, Record] = {}
        self._anew = anew
        self._check_hidden()
        standing = None if anew else self._standing_key()
        self.key, self.has_key = standing or secrets.token_hex(16), standing is not None
        self.refresh()

    def _check_hidden(self) -> None:
        try:
            mode = self.hidden.lstat().st_mode
        except OSError:
            return  # there is none, or it cannot be made either, which is found out later
        if not stat.S_ISDIR(mode):
            raise InputError(Problem("output.output_dir", f"'{self.hidden}' is not a folder"))

    def take_key(self, key: str) -> None:
        """Takes the key that a run has fixed at the address."""
        self.key, self.has_key = key, True

    def refresh(self) -> None:
        """Reads what other processes have done meanwhile."""
        self.learn(self._journals.new_records())

    def learn(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Takes in what journals say, wherever they stand."""
        for record in records:
            match record:
                case {"begun": str(name), "identity": str(identity), "turn": int(turn)}:
                    self._learn(name, Record(identity, None, turn))
                case {
                    "done": str(name),
                    "identity": str(identity),
                    "bytes": int(size),
                    "turn": int(turn),
                }:
                    self._learn(name, Record(identity, size, turn))

    def _learn(self, name: str, record: Record) -> None:
        """Believes the last record of a file, in whatever order the journals are read."""
        known = self._records.get(name)
        if known is None or _age(record) > _age(known):
            self._records[name] = record

    def has_workers(self) -> bool:
        """Whether processes work here, or were killed in the midst of their work."""
        return any(self.hidden.glob(f"*{ALIVE}"))

    def record(self, name: str) -> Record | None:
        """What the journals say about a file."""
        return self._records.get(name)

    def _standing_key(self) -> str | None:
        path = self.hidden / SEEDS
        try:
            content = read_whole(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None  # it cannot be written either, which is found out later
            raise InputError(Problem("", f"'{path}' cannot be read: {error.strerror}")) from None
        for record in records_of(content):
            if isinstance(key := record.get("key"), str):
                return key
        if not content and not any(self.hidden.glob(f"*{ENDING}")):
            return None  # whoever made it was killed before it was written, and drew nothing
        raise InputError(
            Problem(
                "",
                f"'{path}' is damaged, and with it the seeds that were drawn for this folder: "
                "restore it, or remove it to draw new ones (--new-seeds)",
            )
        )

    def open(self) -> OpenFolder:
        """Makes the folder ready to be worked in.

        Raises:
            OSError: It cannot be written.
        """
        self.hidden.mkdir(parents=True, exist_ok=True)
        path = self.hidden / SEEDS
        if self._anew or (path.exists() and not read_whole(path)):
            path.unlink(missing_ok=True)
        if not create_once(path, line_of({"key": self.key})):
            self.key = self._standing_key() or self.key
        return OpenFolder(self)


class OpenFolder:
    """An output folder that this process works in, as long as the block lasts."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.claims = Claims(folder.hidden)
        self._closing = ExitStack()
        self._turns: dict[str, int] = {}

    def __enter__(self) -> Self:
        hidden = self.folder.hidden
        self._closing.enter_context(Heartbeat(hidden))
        name = f"{this_worker()}-{secrets.token_hex(4)}{ENDING}"
        try:
            _WRITTEN.add(name)
            self._closing.callback(_WRITTEN.discard, name)
            self._journal = self._closing.enter_context(Journal(hidden / name))
            self._take_over()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def begin(self, name: str, identity: str) -> None:
        """Writes down that a file is about to be put under this name.

        Raises:
            OSError: That is not possible: the folder is gone, or the disk is full.
        """
        self._journal.path.stat()  # appending to a file that was removed would not fail
        known = self.folder.record(name)
        turn = 0 if known is None else known.turn + 1
        self._turns[name] = turn
        self._journal.append({"begun": name, "identity": identity, "turn": turn})

    def finish(self, name: str, identity: str, size: int) -> None:
        """Writes down that a file stands whole, and all that belongs to it."""
        turn = self._turns[name]
        self._journal.append({"done": name, "identity": identity, "bytes": size, "turn": turn})

    def fixed_limit(self, settings: str, limit: int) -> int:
        """How many outputs are sampled together: what was decided first holds for this folder.

        Args:
            settings: The name of the settings, for a file.
            limit: What this process would decide.
        """
        path = self.folder.hidden / f"{settings}.batch"
        if not path.exists():  # most have been fixed when a run goes on
            create_once(path, line_of({"limit": limit}))
        for record in records_of(read_whole(path)):
            if isinstance(standing := record.get("limit"), int) and standing > 0:
                return standing
        return limit

    def others(self) -> bool:
        """Whether other processes work here."""
        names = [path.name.removesuffix(ALIVE) for path in self.folder.hidden.glob(f"*{ALIVE}")]
        return any(one != this_worker() and is_alive(one, self.folder.hidden) for one in names)

    def _take_over(self) -> None:
        """Clears up after processes that were killed, and keeps what they wrote down."""
        hidden = self.folder.hidden

        def is_dead(worker: str) -> bool:
            return not is_alive(worker, hidden)

        def is_left(journal: str) -> bool:
            worker = journal.removesuffix(ENDING).rpartition("-")[0]
            return journal not in _WRITTEN and (worker == this_worker() or is_dead(worker))

        for path in sorted(hidden.glob(f"*{ENDING}")):
            if not is_left(path.name):
                continue
            try:
                records: list[Mapping[str, Any]] = list(records_of(path.read_bytes()))
            except OSError:
                continue
            if records:
                self._journal.append(*records)
            path.unlink(missing_ok=True)
        remove_temporaries(self.folder.path, is_dead)
        remove_unfinished(hidden, is_dead)
        self.claims.clear()
        # Last of all: as long as it is there, whoever comes knows that something may be left over.
        for path in hidden.glob(f"*{ALIVE}"):
            if is_dead(path.name.removesuffix(ALIVE)):
                path.unlink(missing_ok=True)


def _age(record: Record) -> tuple[int, bool]:
    return record.turn, record.size is not None
