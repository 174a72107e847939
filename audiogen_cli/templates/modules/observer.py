"""The observer: a log of what was made and what failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from audiogen_core.job import Job


class MyPlugin(Observer):
    """Appends a line to a file for each output."""

    NAME = "my-plugin"

    class Options(PluginOptions):
        """What its entry in ``output.observers`` may hold besides ``name``."""

        path: str = Field("outputs.log", min_length=1, description="The file to append to.")

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A file of its own."""
        return {"options": {"path": str(folder / "outputs.log")}}

    def sample_done(self, output: Output) -> None:
        """The file, and the sample that it was made from."""
        self._append(f"{output.path}: {output.job.where}")

    def sample_failed(self, job: Job, cause: str) -> None:
        """The sample, and why there is no file."""
        self._append(f"{job.where} failed: {cause}")

    def _append(self, line: str) -> None:
        with Path(self.options.path).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
