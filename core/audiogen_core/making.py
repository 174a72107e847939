"""From a batch to the audio of its outputs: conditioning, sampling, decoding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from audiogen_core.arrays import FloatArray
from audiogen_core.batching import Batch
from audiogen_core.diffusion.guidance import Guidance, GuidedModel
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.diffusion.sampling import draw
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interfaces.sampler import ScheduleRequest
from audiogen_core.interrupts import raise_if_stopped
from audiogen_core.job import Job
from audiogen_core.memory import give_back, is_out_of_memory, keep_freed
from audiogen_core.models.config import ModelConfig
from audiogen_core.models.encoding import encoded
from audiogen_core.models.model import Model
from audiogen_core.registry import describe

NEEDS_LESS = 'generation.sample_size "auto" and --model-half need less memory'

FORESEEN = 32
"""A run of so many outputs tells the conditioners all of its values at once."""


def foresee(model: Model, jobs: Sequence[Job]) -> None:
    """Lets a model let go of what is needed only for other outputs than these, if they are few."""
    if len(jobs) <= FORESEEN:
        negatives = [one for one in _negatives(jobs, model.config) if one is not None]
        model.foresee([*(job.values for job in jobs), *negatives])


def make_batch(
    model: Model, batch: Batch, observer: Observer
) -> Iterator[tuple[Batch, int, FloatArray | str]]:
    """Makes the outputs of a batch; what goes wrong costs only the sample it comes from.

    Yields:
        For each wanted output what it was sampled with, its place in that, and its audio as the
        model made it, ``[channels, samples]``, or the cause of its failure.
    """
    jobs = [job for job in batch.jobs if job.index in batch.wanted]
    observer.batch_started(jobs)
    smaller: list[Batch] = []
    try:
        audio = make_audio(model, batch, observer)
    except (Exception, SystemExit) as error:
        raise_if_stopped()
        # No more than the words: the error itself holds on to the memory that a retry needs.
        audio, cause = {}, describe(error)
        smaller = batch.samples()
        if is_out_of_memory(error):
            smaller, cause = batch.halves(), f"{cause} ({NEEDS_LESS})"
    if audio:
        for index, one_audio in audio.items():
            yield batch, index, one_audio
    elif len(smaller) > 1 or (smaller and len(smaller[0].jobs) < len(batch.jobs)):
        for one in smaller:
            yield from make_batch(model, one, observer)
    else:
        for index, job in enumerate(batch.jobs):
            if job.index in batch.wanted:
                yield batch, index, cause


def make_audio(model: Model, batch: Batch, observer: Observer) -> dict[int, FloatArray]:
    """Conditions, samples and decodes a batch.

    Returns:
        The audio of each wanted job as the model made it, ``[channels, samples]``, by its place.
    """
    settings, jobs = batch.settings.generation, batch.jobs
    multiple = model.backbone.length_multiple
    latents = -(-batch.settings.latents // multiple) * multiple
    shape = (model.config.file.model.io_channels, latents)
    noise = NoiseSource([job.seed for job in jobs], shape, model.device)
    clean, filled_in = encoded(model, [job.values for job in jobs], noise)
    # Conditioners draw from generators of their own, so that they never shift the noise.
    generators = [torch.Generator().manual_seed(job.seed) for job in jobs]
    inputs = model.condition(
        [job.values for job in jobs], _negatives(jobs, model.config), generators, filled_in
    )
    low, high = settings.cfg_interval
    guided = GuidedModel(
        model.backbone,
        inputs.positive,
        inputs.negative,
        Guidance(settings.cfg_scale, (low, high), settings.scale_phi),
        model.config.objective,
    )
    request = ScheduleRequest(
        settings.steps,
        settings.sigma_min,
        batch.settings.highest_level,
        settings.rho,
        latents,
        model.config.shift,
    )
    keep_freed()
    drawn = draw(batch.settings.sampler, guided, request, noise, observer.step, clean)
    observer.stage("decoding")
    give_back()  # what sampling has left is of no use to a decoder
    # One by one: the activations of a decoder are far larger than those of the network before it.
    wanted = [index for index, job in enumerate(jobs) if job.index in batch.wanted]
    audio = {index: model.decode(drawn[index][None])[0].cpu().numpy() for index in wanted}
    return {index: np.ascontiguousarray(one, dtype=np.float32) for index, one in audio.items()}


def _negatives(jobs: Sequence[Job], config: ModelConfig) -> list[Mapping[str, Any] | None]:
    """For each job its conditioning with the negative prompt as its prompt; None without one."""
    if not config.takes_negative_prompts:
        return [None for _ in jobs]
    return [
        None if job.negative_prompt is None else {**job.values, "prompt": job.negative_prompt}
        for job in jobs
    ]
