"""From the model's audio to a finished file with its metadata beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audiogen_core.config import GenerationConfig
from audiogen_core.interfaces.encoder import FloatArray
from audiogen_core.jobs import Batch, Job
from audiogen_core.metadata import metadata, write_metadata
from audiogen_core.observer import Observer
from audiogen_core.prepare import Prepared
from audiogen_core.publishing import publish
from audiogen_core.tags import tags_of


def write_output(
    prepared: Prepared, batch: Batch, job: Job, audio: FloatArray, observer: Observer
) -> Path:
    """Normalises, cuts, encodes and publishes one output with its metadata.

    Args:
        prepared: The run.
        batch: What the output was sampled with.
        job: The output.
        audio: As the model made it, ``[channels, samples]``.
        observer: Is told of silence.

    Returns:
        The finished file.

    Raises:
        FloatingPointError: The audio holds NaN or infinity.
        OSError: It cannot be written.
    """
    config, model = prepared.request.config, prepared.model
    audio = _normalized(audio)
    if not audio.any():
        observer.note(f"{job.stem}: the model made silence")
    audio = _cut(audio, job, config, model.config.sample_rate)
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


def _normalized(audio: FloatArray) -> FloatArray:
    """The audio with its peak at full scale; silence stays silence.

    Raises:
        FloatingPointError: The audio holds NaN or infinity.
    """
    peak = np.abs(audio).max()
    if not np.isfinite(peak):
        raise FloatingPointError("the model made NaN or infinity instead of audio")
    return audio / peak if peak > 0 else audio


def _cut(audio: FloatArray, job: Job, config: GenerationConfig, sample_rate: int) -> FloatArray:
    seconds = job.values.get("seconds_total")
    if not config.output.cut_to_seconds_total or seconds is None:
        return audio
    return np.ascontiguousarray(audio[:, : round(seconds * sample_rate)])
