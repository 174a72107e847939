"""Who makes which output: each is made by one process at a time.

A claim is a file that can be made only once; it names its process. Where that has died, the next
claim is another file, with the next number: of several processes that try, one can make it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from audiogen_core.runfolder.once import create_once, read_whole
from audiogen_core.runfolder.workers import is_alive, this_worker

ENDING = ".claim"


class Claims:
    """The claims of a folder.

    Args:
        folder: Where they stand.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker = this_worker().encode()

    def claim(self, identities: Sequence[str]) -> bool:
        """Claims all of some outputs, or none.

        Raises:
            OSError: The folder cannot be written.
        """
        claimed: list[str] = []
        try:
            for identity in identities:
                if not self._claim(identity):
                    self.release(claimed)
                    return False
                claimed.append(identity)
        except BaseException:
            self.release(claimed)
            raise
        return True

    def release(self, identities: Sequence[str]) -> None:
        """Gives claims back."""
        for identity in identities:
            # The last one first: where an earlier one stands, nobody can take the place in between.
            for number in reversed(range(self._count(identity))):
                self._file(identity, number).unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes those of processes that have died, by claiming what they had."""
        for identity in {path.name.partition(".")[0] for path in self._folder.glob(f"*{ENDING}")}:
            if self._claim(identity):
                self.release([identity])

    def _claim(self, identity: str) -> bool:
        owner = b""
        for number in count():
            path = self._file(identity, number)
            if create_once(path, self._worker):
                if number == 0 or self._owner(identity, number - 1) == owner:
                    return True
                path.unlink(missing_ok=True)  # somebody has cleared the dead one's meanwhile
                return False
            found = self._owner(identity, number)
            if found is None:
                return False  # its output has just been finished
            owner = found
            following = self._file(identity, number + 1)
            if is_alive(owner.decode("ascii", "replace"), self._folder) and not following.exists():
                return False
        return False

    def _owner(self, identity: str, number: int) -> bytes | None:
        try:
            return read_whole(self._file(identity, number))
        except FileNotFoundError:
            return None

    def _count(self, identity: str) -> int:
        """How many files there are, without a look at those of all the others."""
        return next(number for number in count() if not self._file(identity, number).exists())

    def _file(self, identity: str, number: int) -> Path:
        return self._folder / f"{identity}.{number}{ENDING}"
