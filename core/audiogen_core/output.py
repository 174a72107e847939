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
from audiogen_core.tags import tags_of


def write_output(
    prepared: Prepared, batch: Batch, index: int, audio: FloatArray, observer: Observer
) -> Output:
    """Post-processes, encodes and publishes one output.

    Args:
        prepared: The run.
        batch: What the output was sampled with.
        index: Its place in the batch.
        audio: As the model made it, ``[channels, samples]``.
        observer: Is told what the user should know about it.

    Raises:
        FloatingPointError: The audio holds NaN or infinity.
        ValueError: A post-processor made something that is no audio.
        OSError: It cannot be written.
    """
    config, job = prepared.request.config, batch.jobs[index]
    rate = prepared.model.config.sample_rate
    context = AudioContext(rate, job.values, lambda what: observer.note(f"{job.stem}: {what}"))
    audio = post_process(audio, config.post_processors, context)
    folder = Path(config.output.output_dir).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{job.stem}{config.encoder.EXTENSION}"
    content = metadata(prepared, batch, index, audio.shape[-1])
    tags = tags_of(content)
    publish(path, lambda file: config.encoder.encode(audio, rate, file, tags))
    return Output(job, path, audio, rate, content)
