"""Plays finished files with a player of the system, while the others are being made."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING

from audiogen_core.errors import UsageError, listed, printable
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.interrupts import stoppable
from audiogen_core.registry import describe
from audiogen_core.terminal import tell

if TYPE_CHECKING:
    from audiogen_core.outcome import Outcome


@dataclass(frozen=True)
class Player:
    """A program that plays a file and ends.

    Attributes:
        program: Its name on ``PATH``.
        options: What it takes before the file's path.
        endings: The files that it plays; None for all that there are.
    """

    program: str
    options: Sequence[str] = ()
    endings: Sequence[str] | None = None

    def plays(self, ending: str) -> bool:
        """Whether it plays files that end so."""
        return self.endings is None or ending in self.endings


PLAYERS = (
    Player("ffplay", ("-nodisp", "-autoexit", "-loglevel", "error")),
    Player("mpv", ("--no-video", "--no-terminal")),
    Player("afplay", endings=(".wav", ".flac", ".mp3", ".m4a", ".aiff")),
    Player("pw-play", endings=(".wav", ".flac", ".ogg", ".mp3")),
    Player("paplay", endings=(".wav", ".flac", ".ogg")),
    Player("play", ("-q",), (".wav", ".flac", ".ogg", ".mp3")),
    Player("aplay", ("-q",), (".wav",)),
)
"""The players that are looked for, the preferred one first."""


def find_player(ending: str) -> Player:
    """The first player on ``PATH`` that plays files with an ending.

    Raises:
        UsageError: There is none.
    """
    able = [one for one in PLAYERS if one.plays(ending)]
    for one in able:
        if shutil.which(one.program) is not None:
            return one
    names = listed(one.program for one in able)
    raise UsageError(f"--play: no program that plays {ending} files was found; tried {names}")


class Playback(Observer):
    """Plays files in the order in which they are finished; none keeps the next from being made.

    Args:
        endings: Those of the files that there will be.

    Raises:
        UsageError: There is no player for one of them.
    """

    NAME = "play"

    def __init__(self, endings: Iterable[str]) -> None:
        super().__init__()
        self._players = {ending: find_player(ending) for ending in endings}
        self._waiting: Queue[Path] = Queue()
        self._playing: subprocess.Popen[str] | None = None
        self._stopped = False
        self._ended = False
        self._failures: list[str] = []
        Thread(target=self._play_all, daemon=True).start()

    def sample_done(self, output: Output) -> None:
        """The file is played after those before it."""
        self._waiting.put(output.path.absolute())

    def run_ended(self, outcome: Outcome) -> None:
        """A user who ends a run does not want to hear the rest."""
        self._ended = not outcome.interrupted

    def close(self) -> None:
        """Stops, unless the run has come to its end."""
        if not self._ended:
            self.stop()

    def stop(self) -> None:
        """Plays nothing any more."""
        self._stopped = True
        if (playing := self._playing) is not None:
            playing.terminate()
        while True:
            try:
                self._waiting.get_nowait()
            except Empty:
                return
            self._waiting.task_done()

    def wait(self) -> None:
        """Waits until all is played, or until the user has heard enough and presses Ctrl-C."""
        try:
            with stoppable():
                self._waiting.join()
        except KeyboardInterrupt:
            self.stop()
        if self._failures and not self._stopped:
            first, more = self._failures[0], len(self._failures) - 1
            others = f", and {more} more" if more else ""
            tell(f"warning: {first}{others}")

    def _play_all(self) -> None:
        while True:
            path = self._waiting.get()
            try:
                if not self._stopped:
                    self._play(path)
            except Exception as error:  # the others are played all the same
                self._failures.append(f"'{path}' could not be played: {describe(error)}")
            finally:
                self._waiting.task_done()

    def _play(self, path: Path) -> None:
        player = self._players[path.suffix]
        failed = f"{player.program} could not play '{path}'"
        try:
            self._playing = subprocess.Popen(  # noqa: S603
                [player.program, *player.options, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            self._failures.append(f"{failed}: {error.strerror}")
            return
        if self._stopped:  # meanwhile
            self._playing.terminate()
        _, said = self._playing.communicate()
        if self._playing.returncode:
            lines = said.strip().splitlines() or [f"exit code {self._playing.returncode}"]
            self._failures.append(f"{failed}: {printable(lines[-1])}")
