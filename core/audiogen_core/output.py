"""From the model's audio to a finished file."""

from __future__ import annotations

from pathlib import Path

from audiogen_core.batching import Batch
from audiogen_core.interfaces.encoder import FloatArray
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.interfaces.post_processor import AudioContext
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
    tags = tags_of(content)
    folder.begin(name, job.identity)
    if config.output.shard_dirs is not None:
        path.parent.mkdir(exist_ok=True)

    def write(file: Path) -> None:
        config.encoder.encode(audio, rate, file, tags)
        # Whatever stood there, and not sooner: no metadata ever describes another audio.
        if config.output.save_metadata:
            (prepared.request.folder / f"{job.stem}.json").unlink(missing_ok=True)

    publish(path, write, prepared.request.folder)
    size = path.stat().st_size
    content["output"]["bytes"] = size
    address = None if prepared.remote is None else f"{prepared.remote.address}/{name}"
    output = Output(job, path, audio, rate, content, address)
    observer.sample_done(output)
    folder.finish(name, job.identity, size)
    return output
