"""Shows how a run goes: a progress bar on a terminal, plain lines elsewhere, nothing when quiet.

Paths of finished files go to standard output, everything else to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.filesize import decimal

from audiogen_core.jobs import Job

if TYPE_CHECKING:
    from audiogen_core.observer import Observer

SECONDS_BETWEEN_LINES = 5.0
"""How often plain lines report how the outputs come along."""


class Display:
    """What the displays share: results on standard output, messages on standard error."""

    outputs = 0
    done = 0
    failures = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing to clean up."""

    def stage(self, what: str) -> None:
        """Says nothing."""

    def note(self, what: str) -> None:
        """A line on standard error."""
        sys.stderr.write(f"note: {what}\n")

    def downloaded(self, done: int, total: int | None) -> None:
        """Says nothing."""

    def planned(self, outputs: int) -> None:
        """Remembers how many there will be."""
        self.outputs = outputs

    def step(self, done: int, total: int | None) -> None:
        """Says nothing."""

    def written(self, path: Path) -> None:
        """The path on standard output."""
        self.done += 1
        try:
            sys.stdout.write(f"{path}\n")
            sys.stdout.flush()
        except OSError:
            # Whoever read the paths has gone, or has no room for them; the files are still wanted.
            sys.stdout = sys.stderr

    def failed(self, job: Job, cause: str) -> None:
        """A line on standard error."""
        self.failures += 1
        sys.stderr.write(f"failed: {job.where} (seed {job.seed}): {cause}\n")


class Quiet(Display):
    """Only results and failures."""

    def note(self, what: str) -> None:
        """Says nothing."""


class Lines(Display):
    """Plain lines, for logs and pipes: not more than one every few seconds once outputs come."""

    _last_line = 0.0

    def planned(self, outputs: int) -> None:
        """A line."""
        super().planned(outputs)
        self._line(f"generating {outputs} output{'s' * (outputs != 1)}")

    def stage(self, what: str) -> None:
        """A line."""
        if not self.outputs or self._is_time():
            self._line(what)

    def downloaded(self, done: int, total: int | None) -> None:
        """A line now and then."""
        if self._is_time():
            of = f" of {decimal(total)}" if total is not None else ""
            self._line(f"downloaded {decimal(done)}{of}")

    def step(self, done: int, total: int | None) -> None:
        """A line now and then."""
        if self._is_time():
            output = min(self.done + self.failures + 1, self.outputs)
            of = f" of {total}" if total is not None else ""
            self._line(f"output {output} of {self.outputs}: step {done}{of}")

    def _is_time(self) -> bool:
        return time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        sys.stderr.write(f"{text}\n")


class Bar(Display):
    """A live progress bar on standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=Console(stderr=True),
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None, count="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Takes the bar away."""
        self._progress.stop()

    def stage(self, what: str) -> None:
        """The bar's label; how long it will take is not known."""
        # A new task: rich takes "no total" for "the total as it was".
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=None, count="")

    def downloaded(self, done: int, total: int | None) -> None:
        """Moves the bar."""
        of = f"/{decimal(total)}" if total is not None else ""
        self._progress.update(self._task, completed=done, total=total, count=f"{decimal(done)}{of}")

    def step(self, done: int, total: int | None) -> None:
        """Moves the bar."""
        output = min(self.done + self.failures + 1, self.outputs)
        if done == 1:
            self._progress.reset(self._task)
        self._progress.update(
            self._task,
            description=f"output {output}/{self.outputs}",
            completed=done,
            total=total,
            count=f"step {done}/{total}" if total is not None else f"step {done}",
        )

    def note(self, what: str) -> None:
        """A line above the bar."""
        self._above(lambda: super(Bar, self).note(what))

    def written(self, path: Path) -> None:
        """A line above the bar."""
        self._above(lambda: super(Bar, self).written(path))

    def failed(self, job: Job, cause: str) -> None:
        """A line above the bar."""
        self._above(lambda: super(Bar, self).failed(job, cause))

    def _above(self, write: Callable[[], None]) -> None:
        # The bar lives on standard error; a line on either stream would break into it.
        self._progress.stop()
        write()
        self._progress.start()


def choose_display(*, quiet: bool) -> Display:
    """The display that fits where standard error goes."""
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else Lines()


if TYPE_CHECKING:
    _check: type[Observer] = Display
