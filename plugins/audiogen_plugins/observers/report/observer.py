"""``report``: ``report.html``, a page to listen with, which ``output.report`` switches on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audiogen_core.errors import NotInstalledError, Problem
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.options import PluginOptions
from audiogen_core.storage.address import local_folder

if TYPE_CHECKING:
    from audiogen_core.config import GenerationConfig
    from audiogen_core.job import Job
    from audiogen_core.outcome import Outcome
    from audiogen_plugins.observers.report.measured import Known


class Report(Observer):
    """Makes ``report.html`` in the output folder when a run ends: a page to listen with.

    It is made of everything that stands there, so that a run which goes on, or another one, is in
    it too. What this run makes is measured while it is at hand.

    Raises:
        NotInstalledError: Pillow, which draws the pictures, is not installed.
    """

    NAME = "report"

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        if lacking := pillow_lacks():
            raise NotInstalledError(Problem("", lacking))
        self._folder: Path | None = None
        self._known: Known = {}

    def run_started(self, config: GenerationConfig, jobs: Sequence[Job]) -> None:
        """Remembers the folder."""
        del jobs
        self._folder = local_folder(config.output.output_dir)

    def sample_done(self, output: Output) -> None:
        """Measures it."""
        from audiogen_plugins.observers.report.measured import measure, state_of

        self._known[state_of(output.path)] = measure(output.audio, output.sample_rate)

    def run_ended(self, outcome: Outcome) -> None:
        """Makes the page, also of what an interrupted run has left."""
        from audiogen_plugins.observers.report.folder import write_report

        if self._folder is not None and self._folder.is_dir():
            page = write_report(self._folder, self._known)
            outcome.notes.append(f"the report is {page}")


def pillow_lacks() -> str | None:
    """What is wrong with this machine's Pillow, with what helps; None where nothing is."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        return (
            f"the report's pictures need Pillow, which cannot be imported ({error}): "
            "pip install 'audiogen[report]'"
        )
    return None
