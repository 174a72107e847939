"""From the model's audio to a finished file with its metadata beside it."""

from __future__ import annotations

from pathlib import Path

from audiogen_core.interfaces.encoder import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext
from audiogen_core.jobs import Batch, Job
from audiogen_core.metadata import metadata, write_metadata
from audiogen_core.observer import Observer
from audiogen_core.post_processing import post_process
from audiogen_core.prepare import Prepared
from audiogen_core.publishing import publish
from audiogen_core.tags import tags_of


def write_output(
    prepared: Prepared, batch: Batch, job: Job, audio: FloatArray, observer: Observer
) -> Path:
    """Post-processes, encodes and publishes one output with its metadata.

    Args:
        prepared: The run.
        batch: What the output was sampled with.
        job: The output.
        audio: As the model made it, ``[channels, samples]``.
        observer: Is told what the user should know about it.

    Returns:
        The finished file.

    Raises:
        FloatingPointError: The audio holds NaN or infinity.
        ValueError: A post-processor made something that is no audio.
        OSError: It cannot be written.
    """
    config, model = prepared.request.config, prepared.model
    context = AudioContext(
        model.config.sample_rate, job.values, lambda what: observer.note(f"{job.stem}: {what}")
    )
    audio = post_process(audio, config.post_processors, context)
    folder = Path(config.output.output_dir).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{job.stem}{config.encoder.EXTENSION}"
    content = metadata(
        job,
        batch,
        config,
        prepared.sampler,
        model.config,
        identity=prepared.identity(),
        plugins=prepared.plugins,
        samples=audio.shape[-1],
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
    )
    tags = tags_of(content)
    publish(path, lambda file: config.encoder.encode(audio, model.config.sample_rate, file, tags))
    if config.output.save_metadata:
        publish(folder / f"{job.stem}.json", lambda file: write_metadata(content, file))
    return path
