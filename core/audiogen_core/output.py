"""From the model's audio to a finished file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiogen_core.arrays import FloatArray
from audiogen_core.batching import Batch
from audiogen_core.config import GenerationConfig
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.interfaces.post_processor import AudioContext
from audiogen_core.job import Job
from audiogen_core.metadata import metadata
from audiogen_core.post_processing import post_process
from audiogen_core.prepare import Prepared
from audiogen_core.publishing import Draft
from audiogen_core.recall import is_described
from audiogen_core.runfolder.folder import OpenFolder
from audiogen_core.tags import tags_of


@dataclass(frozen=True)
class Encoded:
    """An output whose file is written, and not in its place yet.

    Attributes:
        draft: The file.
        audio: What it holds, ``[channels, samples]`` in [-1, 1].
        content: Its metadata, without the size of the file.
        notes: What the user should know about it.
    """

    draft: Draft
    audio: FloatArray
    content: dict[str, Any]
    notes: Sequence[str] = ()

    def place(self, config: GenerationConfig, job: Job, sample_rate: int, folder: Path) -> Output:
        """Puts the file in its place; what stands there is replaced.

        Raises:
            OSError: It cannot be put there.
        """
        path = folder / f"{job.stem}{config.encoder.EXTENSION}"
        # Whatever stood there, and not sooner: no metadata ever describes another audio.
        if config.output.save_metadata or is_described(path):
            (folder / f"{job.stem}.json").unlink(missing_ok=True)
        self.draft.place(path)
        self.content["output"]["bytes"] = path.stat().st_size
        return Output(job, path, self.audio, sample_rate, self.content)


def encode_output(prepared: Prepared, batch: Batch, index: int, audio: FloatArray) -> Encoded:
    """Post-processes and encodes one output, in the output folder but not in its place.

    Nobody is told of it, so that it may be done in a thread of its own.

    Args:
        prepared: The run.
        batch: What the output was sampled with.
        index: Its place in the batch.
        audio: As the model made it, ``[channels, samples]``.

    Raises:
        FloatingPointError: The audio holds NaN or infinity.
        ValueError: A post-processor made something that is no audio.
        OSError: It cannot be written.
    """
    config, job = prepared.request.config, batch.jobs[index]
    rate = prepared.model.config.sample_rate
    notes: list[str] = []
    audio = post_process(
        audio, config.post_processors, AudioContext(rate, job.values, notes.append)
    )
    content = metadata(prepared, batch, index, audio.shape[-1])
    return encode(config, audio, rate, prepared.request.folder, content, notes)


def publish_output(
    prepared: Prepared, folder: OpenFolder, job: Job, encoded: Encoded, observer: Observer
) -> Output:
    """Puts an output in its place, and tells the observers.

    Args:
        prepared: The run.
        folder: Its output folder.
        job: What the output was made from.
        encoded: Its file.
        observer: Is told of it, and what the user should know about it.

    Raises:
        OSError: It cannot be put there.
        Exception: An observer that the output needs has failed.
    """
    config, to = prepared.request.config, prepared.request.folder
    name = f"{job.stem}{config.encoder.EXTENSION}"
    for note in encoded.notes:
        observer.note(f"{job.stem}: {note}")
    with encoded.draft:
        folder.begin(name, job.identity)
        if config.output.shard_dirs is not None:
            (to / name).parent.mkdir(exist_ok=True)
        output = encoded.place(config, job, prepared.model.config.sample_rate, to)
    if prepared.remote is not None:
        output = replace(output, address=f"{prepared.remote.address}/{name}")
    observer.sample_done(output)
    folder.finish(name, job.identity, output.metadata["output"]["bytes"])
    return output


def encode(
    config: GenerationConfig,
    audio: FloatArray,
    sample_rate: int,
    folder: Path,
    content: dict[str, Any],
    notes: Sequence[str] = (),
) -> Encoded:
    """Encodes one output.

    Args:
        config: Its ``output`` says how.
        audio: Finite samples in [-1, 1], ``[channels, samples]``.
        sample_rate: In hertz.
        folder: Where the file is to go.
        content: Its metadata.
        notes: What the user should know about it.

    Raises:
        OSError: It cannot be written.
    """
    tags = tags_of(content)
    draft = Draft(folder, lambda file: config.encoder.encode(audio, sample_rate, file, tags))
    return Encoded(draft, audio, content, notes)
