"""From the model's audio to a finished file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from audiogen_core.batching import Batch
from audiogen_core.config import GenerationConfig
from audiogen_core.interfaces.encoder import FloatArray
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.interfaces.post_processor import AudioContext
from audiogen_core.jobs import Job
from audiogen_core.metadata import metadata
from audiogen_core.post_processing import post_process
from audiogen_core.prepare import Prepared
from audiogen_core.publishing import publish
from audiogen_core.runfolder.folder import OpenFolder
from audiogen_core.tags import tags_of


def write_output(
    prepared: Prepared,
    folder: OpenFolder,
    batch: Batch,
    index: int,
    audio: FloatArray,
    observer: Observer,
) -> Output:
    """Post-processes, encodes and publishes one output, and tells the observers.

    Args:
        prepared: The run.
        folder: Its output folder.
        batch: What the output was sampled with.
        index: Its place in the batch.
        audio: As the model made it, ``[channels, samples]``.
        observer: Is told what the user should know about it.

    Raises:
        FloatingPointError: The audio holds NaN or infinity.
        ValueError: A post-processor made something that is no audio.
        OSError: It cannot be written.
        Exception: An observer that the output needs has failed.
    """
    config, job = prepared.request.config, batch.jobs[index]
    rate = prepared.model.config.sample_rate
    context = AudioContext(rate, job.values, lambda what: observer.note(f"{job.stem}: {what}"))
    audio = post_process(audio, config.post_processors, context)
    name = f"{job.stem}{config.encoder.EXTENSION}"
    path = prepared.request.folder / name
    content = metadata(prepared, batch, index, audio.shape[-1])
    folder.begin(name, job.identity)
    if config.output.shard_dirs is not None:
        path.parent.mkdir(exist_ok=True)
    output = encode(config, job, audio, rate, prepared.request.folder, content)
    if prepared.remote is not None:
        output = replace(output, address=f"{prepared.remote.address}/{name}")
    observer.sample_done(output)
    folder.finish(name, job.identity, output.metadata["output"]["bytes"])
    return output


def encode(
    config: GenerationConfig,
    job: Job,
    audio: FloatArray,
    sample_rate: int,
    folder: Path,
    content: dict[str, Any],
) -> Output:
    """Encodes one output, and puts it in its place; what stands there is replaced.

    Args:
        config: Its ``output`` says how.
        job: What the audio was made from; the name of the file is its ``stem``.
        audio: Finite samples in [-1, 1], ``[channels, samples]``.
        sample_rate: In hertz.
        folder: Where the file goes.
        content: Its metadata, which is told how large the file is.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / f"{job.stem}{config.encoder.EXTENSION}"
    tags = tags_of(content)

    def write(file: Path) -> None:
        config.encoder.encode(audio, sample_rate, file, tags)
        # Whatever stood there, and not sooner: no metadata ever describes another audio.
        if config.output.save_metadata:
            (folder / f"{job.stem}.json").unlink(missing_ok=True)

    publish(path, write, folder)
    content["output"]["bytes"] = path.stat().st_size
    return Output(job, path, audio, sample_rate, content)
