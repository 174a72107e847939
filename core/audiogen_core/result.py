"""One output in memory, and the way from there to a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audiogen_core.arrays import FloatArray
from audiogen_core.batching import Batch
from audiogen_core.config import SWITCHES
from audiogen_core.errors import InputError, Problem, listed
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.job import Job
from audiogen_core.jobs import identity_of
from audiogen_core.metadata import metadata as metadata_of
from audiogen_core.output import encode
from audiogen_core.prepare import Planned


@dataclass(frozen=True, eq=False)
class Result:
    """One output.

    Attributes:
        audio: What a file of it would hold: float32 in [-1, 1], ``[channels, samples]``.
        sample_rate: In hertz.
        job: What it was made from.
        metadata: What the command writes beside a file, as JSON.
        notes: What the user should know about it: ``the model made silence``.
    """

    audio: FloatArray = field(repr=False)
    sample_rate: int
    job: Job = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)
    notes: tuple[str, ...]
    _planned: Planned = field(repr=False)
    _batch: Batch = field(repr=False)

    @property
    def index(self) -> int:
        """Which of the outputs that were asked for it is, from 0."""
        return self.job.index

    @property
    def seed(self) -> int:
        """The seed that makes it again."""
        return self.job.seed

    @property
    def conditioning(self) -> Mapping[str, Any]:
        """The sample's values with the defaults filled in."""
        return self.job.values

    @property
    def prompt(self) -> str:
        """What was asked for; empty where the sample has no prompt."""
        return self.job.values.get("prompt") or ""

    @property
    def seconds(self) -> float:
        """How long it is."""
        samples: int = self.audio.shape[-1]
        return samples / self.sample_rate

    @property
    def name(self) -> str:
        """What the command would call its file, without the ending."""
        return self.job.stem

    def save(
        self, path: str | os.PathLike[str], *, file_format: str | None = None, metadata: bool = True
    ) -> Path:
        """Writes the files that the command writes: whole, or not at all.

        What stands there is replaced. The metadata, which ``audiogen again`` reads, is in the tags
        of the audio file too.

        Args:
            path: The audio file; its folder is made where need be.
            file_format: As in ``output.file_format``. By default the config's own where the path
                ends like it, or else the first with such an ending that can be written, in the
                order of ``audiogen plugins list``.
            metadata: Whether to write a JSON file beside it.

        Returns:
            The path.

        Raises:
            InputError: There is no such format, or it is written with another ending.
            OSError: The file cannot be written.
        """
        path = Path(path).expanduser()
        planned, place = self._planned, self._batch.jobs.index(self.job)
        config, model = planned.request.config, planned.model.config
        output = config.output.model_copy(update={"save_metadata": metadata})
        config = replace(config, encoder=self._encoder(path, file_format), output=output)
        identity = identity_of(self.job, config, model, planned.plugins, planned.identity)
        job = replace(self.job, stem=path.stem, identity=identity)
        jobs = (*self._batch.jobs[:place], job, *self._batch.jobs[place + 1 :])
        content = metadata_of(
            replace(planned, request=replace(planned.request, config=config)),
            replace(self._batch, jobs=jobs),
            place,
            self.audio.shape[-1],
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded = encode(config, self.audio, self.sample_rate, path.parent, content)
        with encoded.draft:
            made = encoded.place(config, job, self.sample_rate, path.parent)
        if metadata:
            planned.plugins.observers.load(SWITCHES["save_metadata"])().sample_done(made)
        return path

    def _encoder(self, path: Path, file_format: str | None) -> Encoder:
        ending = path.suffix
        own, encoders = self._planned.request.config.encoder, self._planned.plugins.encoders
        if file_format is None:
            of_ending = self._with_ending(ending)
            encoder = own if ending == own.EXTENSION else next(of_ending, None)
            if encoder is None:
                known = sorted({one.EXTENSION for one in encoders.classes()})
                what = f"no format that can be written ends in '{ending}'; known: {listed(known)}"
                raise InputError(Problem(str(path), what))
        else:
            named = encoders.named(file_format, "file_format")
            encoder = own if file_format == own.NAME else named()
        if ending != encoder.EXTENSION:
            what = f"files of the format '{encoder.NAME}' end in '{encoder.EXTENSION}'"
            raise InputError(Problem(str(path), what))
        try:
            encoder.check(self.sample_rate, len(self.audio))
        except EncoderUnavailableError as error:
            raise InputError(Problem("file_format", str(error))) from None
        return encoder

    def _with_ending(self, ending: str) -> Iterator[Encoder]:
        """The formats of an ending that can be written here, in the order of registration."""
        for plugin in self._planned.plugins.encoders.classes():
            if ending == plugin.EXTENSION:
                try:
                    encoder = plugin()
                    encoder.check(self.sample_rate, len(self.audio))
                except (EncoderUnavailableError, ValueError):  # or its options have no defaults
                    continue
                yield encoder
