r"""Observers: they are told how a run goes.

A complete third-party observer::

    class Log(Observer):
        '''A line of a file for each output.'''

        NAME = "log"

        class Options(PluginOptions):
            path: str = Field("outputs.log", min_length=1, description="The file to append to.")

        options: Options

        def sample_done(self, output: Output) -> None:
            self._append(f"{output.path}: {output.job.where}")

        def sample_failed(self, job: Job, cause: str) -> None:
            self._append(f"{job.stem}: {cause}")

        def _append(self, line: str) -> None:
            with open(self.options.path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    @hookimpl
    def audiogen_observers(register):
        register("log", Log)

Every method does nothing unless it is overridden. What an observer raises costs no output: the
first time, the user is warned. All methods are called from one thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.options import NoOptions, PluginOptions

if TYPE_CHECKING:
    from audiogen_core.config import GenerationConfig
    from audiogen_core.job import Job
    from audiogen_core.outcome import Outcome


@dataclass(frozen=True)
class Output:
    """A finished output.

    Attributes:
        job: What it was made from: its seed, its values, its name.
        path: The file. One that goes to an address is removed when all have been told of it.
        audio: What was encoded, ``[channels, samples]`` in [-1, 1].
        sample_rate: In hertz.
        metadata: What is known of it, as JSON: what it takes to make it again.
        address: Where it was brought to; None where it stays at ``path``.
    """

    job: Job
    path: Path
    audio: FloatArray
    sample_rate: int
    metadata: Mapping[str, Any]
    address: str | None = None

    @property
    def folder(self) -> Path:
        """The output folder, where `path` stands, or with ``output.shard_dirs`` below it."""
        return self.path.parents[self.job.stem.count("/")]


class Observer:
    """Is told how a run goes.

    Attributes:
        NAME: What ``output.observers`` calls it.
        Options: What its entry there may hold besides ``name`` when it is an object.
        REQUIRED: Whether an output has failed when `sample_done` raises. For what belongs to the
            output itself, as its metadata does; such observers are told before the others.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions
    REQUIRED: ClassVar[bool] = False

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    def stage(self, what: str) -> None:
        """A new stage begins: ``loading the model``, and in a batch ``decoding``."""

    def note(self, what: str) -> None:
        """Something the user should know."""

    def downloaded(self, done: int, total: int | None) -> None:
        """So many bytes of the file that is being downloaded have arrived."""

    def run_started(self, config: GenerationConfig, jobs: Sequence[Job]) -> None:
        """Everything is checked and loaded; these outputs will be made.

        None where all of them stand already: then nothing was loaded, and the run ends at once.
        """

    def batch_started(self, jobs: Sequence[Job]) -> None:
        """These outputs are being made now, together."""

    def step(self, done: int, total: int | None) -> None:
        """The sampler finished a step of the current batch; ``total`` may not be known."""

    def waiting(self) -> None:
        """Other runs make all that is left; told again and again, as long as that is so."""

    def sample_done(self, output: Output) -> None:
        """An output is whole and in its place."""

    def sample_failed(self, job: Job, cause: str) -> None:
        """An output could not be made."""

    def run_ended(self, outcome: Outcome) -> None:
        """The last output is made, or the user has interrupted the run."""

    def close(self) -> None:
        """Nothing more will be told, however the run ended: the place to release what is held."""
