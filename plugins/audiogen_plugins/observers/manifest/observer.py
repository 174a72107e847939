"""``manifest``: a list of all outputs, which ``output.manifest`` switches on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from audiogen_core.errors import NotInstalledError, Problem
from audiogen_core.interfaces.observer import Observer
from audiogen_core.options import PluginOptions
from audiogen_core.storage.address import local_folder

if TYPE_CHECKING:
    from audiogen_core.config import GenerationConfig
    from audiogen_core.job import Job
    from audiogen_core.outcome import Outcome


class Manifest(Observer):
    """Lists every output of the folder with its metadata in one file, when a run ends.

    It is made of what stands there, so that outputs of earlier runs and of other processes are in
    it too.

    Raises:
        NotInstalledError: The format's library is not installed.
    """

    NAME = "manifest"

    class Options(PluginOptions):
        """What its entry of ``output.observers`` may hold besides ``name``."""

        format: Literal["jsonl", "parquet"] = Field(
            "jsonl", description="JSON, an object a line, or an Apache Parquet table."
        )

    options: Options

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        if lacking := lacks(self.options.format):
            raise NotInstalledError(Problem("", lacking))
        self._folder: Path | None = None

    def run_started(self, config: GenerationConfig, jobs: Sequence[Job]) -> None:
        """Remembers the folder."""
        del jobs
        self._folder = local_folder(config.output.output_dir)

    def run_ended(self, outcome: Outcome) -> None:
        """Writes the list, also of what an interrupted run has left."""
        del outcome
        from audiogen_plugins.observers.manifest.files import write_manifest

        if self._folder is not None and self._folder.is_dir():
            write_manifest(self._folder, self.options.format)


def lacks(name: str) -> str | None:
    """What is missing for a format, with what helps; None where nothing is."""
    if name == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            return (
                f"Parquet needs pyarrow, which cannot be imported ({error}): "
                "pip install 'audiogen[parquet]', or use 'jsonl'"
            )
    return None
