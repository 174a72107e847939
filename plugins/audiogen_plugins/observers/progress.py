"""``progress``: a progress bar on a terminal, plain lines elsewhere, nothing when quiet.

The command shows every run with it. Paths of finished files go to standard output, everything else
to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field
from rich.filesize import decimal

from audiogen_core.failures import NAME as FAILURES
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.options import PluginOptions
from audiogen_core.storage.address import local_folder
from audiogen_core.terminal import drawable, tell

if TYPE_CHECKING:
    from audiogen_core.config import GenerationConfig
    from audiogen_core.job import Job

SECONDS_BETWEEN_LINES = 5.0
"""How often plain lines report how the outputs come along."""

MAX_FAILURES = 50
"""How many failures have a line: whatever is wrong with a long run, it is seen by then."""


class Progress(Observer):
    """Results on standard output, messages on standard error.

    Making one gives the display that fits, as making a ``pathlib.Path`` does.
    """

    NAME = "progress"

    class Options(PluginOptions):
        """Options of ``progress``."""

        display: Literal["auto", "bar", "lines", "quiet"] = Field(
            "auto", description="What to show; auto is a bar on a terminal and lines elsewhere."
        )

    options: Options

    outputs = 0
    done = 0
    failures = 0
    _batch = 1
    _output_dir = ""

    def __new__(cls, options: PluginOptions | None = None) -> Self:
        """The display of the options."""
        wanted = options.display if isinstance(options, Progress.Options) else "auto"
        if wanted == "auto":
            wanted = "bar" if drawable(sys.stderr) else "lines"
        displays: dict[str, type[Progress]] = {"bar": Bar, "lines": Lines, "quiet": Quiet}
        chosen: type = displays[wanted] if cls is Progress else cls
        made: Self = object.__new__(chosen)
        return made

    def note(self, what: str) -> None:
        """A line on standard error."""
        tell(f"note: {what}")

    def run_started(self, config: GenerationConfig, jobs: Sequence[Job]) -> None:
        """Remembers how many there will be, and where failures are listed."""
        self.outputs = len(jobs)
        self._output_dir = config.output.output_dir

    def batch_started(self, jobs: Sequence[Job]) -> None:
        """Remembers how many are made now."""
        self._batch = len(jobs)

    def now(self) -> str:
        """What is being made: ``output 2 of 8``, ``outputs 3-6 of 8``."""
        first = self.done + self.failures + 1
        last = first + self._batch - 1
        return f"output {first}" if first == last else f"outputs {first}-{last}"

    def sample_done(self, output: Output) -> None:
        """The path, or the address, on standard output."""
        self.done += 1
        try:
            sys.stdout.write(f"{output.address or output.path}\n")
            sys.stdout.flush()
        except OSError:
            # Whoever read the paths has gone, or has no room for them; the files are still wanted.
            sys.stdout = sys.stderr

    def sample_failed(self, job: Job, cause: str) -> None:
        """A line on standard error, as long as there are not too many."""
        self.failures += 1
        if self.failures <= MAX_FAILURES:
            tell(f"failed: {job.where} (seed {job.seed}): {cause}")
        elif self.failures == MAX_FAILURES + 1:
            log = local_folder(self._output_dir) / FAILURES
            tell(f"failed: more than {MAX_FAILURES}; the others are in {log}")


class Quiet(Progress):
    """Only results and failures."""

    def note(self, what: str) -> None:
        """Says nothing."""


class Lines(Progress):
    """Plain lines, for logs and pipes: not more than one every few seconds once outputs come."""

    _last_line = 0.0
    _last_stage = ""

    def run_started(self, config: GenerationConfig, jobs: Sequence[Job]) -> None:
        """A line."""
        super().run_started(config, jobs)
        if jobs:
            self._line(f"generating {len(jobs)} output{'s' * (len(jobs) != 1)}")

    def stage(self, what: str) -> None:
        """A line."""
        again, self._last_stage = what == self._last_stage, what
        if (not self.outputs and not again) or self._is_time():
            self._line(what)

    def downloaded(self, done: int, total: int | None) -> None:
        """A line now and then."""
        if self._is_time():
            of = f" of {decimal(total)}" if total is not None else ""
            self._line(f"downloaded {decimal(done)}{of}")

    def step(self, done: int, total: int | None) -> None:
        """A line now and then."""
        if self._is_time():
            of = f" of {total}" if total is not None else ""
            self._line(f"{self.now()} of {self.outputs}: step {done}{of}")

    def _is_time(self) -> bool:
        return time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        tell(text)


class Bar(Progress):
    """A live progress bar on standard error."""

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
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
        self._shown = False

    def _show(self) -> None:
        """Begins to draw: not before there is something to tell, for a config is only read now."""
        if not self._shown:
            self._shown = True
            self._progress.start()

    def close(self) -> None:
        """Takes the bar away."""
        self._shown = False
        self._progress.stop()

    def stage(self, what: str) -> None:
        """The bar's label; how long it will take is not known."""
        self._show()
        # A new task: rich takes "no total" for "the total as it was".
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=None, count="")

    def downloaded(self, done: int, total: int | None) -> None:
        """Moves the bar."""
        self._show()
        of = f"/{decimal(total)}" if total is not None else ""
        self._progress.update(self._task, completed=done, total=total, count=f"{decimal(done)}{of}")

    def step(self, done: int, total: int | None) -> None:
        """Moves the bar."""
        self._show()
        if done == 1:
            self._progress.reset(self._task)
        self._progress.update(
            self._task,
            description=f"{self.now()} of {self.outputs}",
            completed=done,
            total=total,
            count=f"step {done}/{total}" if total is not None else f"step {done}",
        )

    def note(self, what: str) -> None:
        """A line above the bar."""
        self._above(lambda: super(Bar, self).note(what))

    def sample_done(self, output: Output) -> None:
        """A line above the bar."""
        self._above(lambda: super(Bar, self).sample_done(output))

    def sample_failed(self, job: Job, cause: str) -> None:
        """A line above the bar."""
        self._above(lambda: super(Bar, self).sample_failed(job, cause))

    def _above(self, write: Callable[[], None]) -> None:
        # The bar lives on standard error; a line on either stream would break into it.
        self._progress.stop()
        write()
        if self._shown:
            self._progress.start()
