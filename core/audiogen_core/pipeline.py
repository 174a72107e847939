"""The whole flow of a run: check everything, load the model, make one batch after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from audiogen_core.batching import Batch, make_batches
from audiogen_core.diffusion.guidance import Guidance, GuidedModel
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.diffusion.sampling import draw
from audiogen_core.interfaces.encoder import FloatArray
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interfaces.sampler import ScheduleRequest
from audiogen_core.interrupts import held_interrupt
from audiogen_core.jobs import Job
from audiogen_core.models.config import ModelConfig
from audiogen_core.observer import Observers
from audiogen_core.outcome import Outcome
from audiogen_core.output import write_output
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.prepare import Prepared, Request, prepare
from audiogen_core.registry import describe


def run(request: Request, plugins: PluginManager, observers: Sequence[Observer] = ()) -> Outcome:
    """Makes every output of a request.

    Args:
        request: What to make.
        plugins: Where what it names comes from.
        observers: Who is told, besides the observers of the config; an observer of the config
            with the name of one of these is not needed, and told nothing.

    Raises:
        AudiogenError: The request is wrong, or the model cannot be had: nothing was written.
    """
    names = {one.NAME for one in observers}
    others = [one for one in request.config.observers if one.NAME not in names]
    observer = Observers([*observers, *others], plugins)
    try:
        prepared = prepare(request, plugins, observer)
        prepared.load(observer)
        return make_outputs(prepared, observer)
    finally:
        observer.close()


def make_outputs(prepared: Prepared, observer: Observer) -> Outcome:
    """Makes every output of a run whose model is loaded, or until the user interrupts it."""
    jobs = prepared.plan.jobs
    outcome = Outcome(len(jobs))
    observer.run_started(prepared.request.config, jobs)
    try:
        for batch in make_batches(jobs, prepared.batch_limit):
            _run_batch(prepared, batch, observer, outcome)
    except KeyboardInterrupt:
        outcome.interrupted = True
    observer.run_ended(outcome)
    return outcome


def _run_batch(prepared: Prepared, batch: Batch, observer: Observer, outcome: Outcome) -> None:
    """Makes the outputs of a batch; what goes wrong costs only the sample that it comes from."""

    def fail(job: Job, cause: str) -> None:
        outcome.failures.append((job, cause))
        observer.sample_failed(job, cause)

    observer.batch_started(batch.jobs)
    try:
        audio = make_audio(prepared, batch, observer)
    except Exception as error:
        # No more than the words: the error itself holds on to the memory that a retry needs.
        audio, cause = [], describe(error)
    if not audio:
        samples = batch.samples()
        if len(samples) > 1:
            for one in samples:
                _run_batch(prepared, one, observer, outcome)
        else:
            for job in batch.jobs:
                fail(job, cause)
        return
    for index, (job, one_audio) in enumerate(zip(batch.jobs, audio, strict=True)):
        with held_interrupt():
            try:
                output = write_output(prepared, batch, index, one_audio, observer)
                observer.sample_done(output)
            except Exception as error:
                fail(job, describe(error))
            else:
                outcome.written.append(output.path)


def make_audio(prepared: Prepared, batch: Batch, observer: Observer) -> list[FloatArray]:
    """Conditions, samples and decodes a batch.

    Returns:
        The audio of each job as the model made it, ``[channels, samples]``.
    """
    model, settings = prepared.model, batch.settings.generation
    jobs = batch.jobs
    # Conditioners draw from generators of their own, so that they never shift the noise.
    generators = [torch.Generator().manual_seed(job.seed) for job in jobs]
    inputs = model.condition(
        [job.values for job in jobs], _negatives(jobs, model.config), generators
    )
    low, high = settings.cfg_interval
    guided = GuidedModel(
        model.backbone,
        inputs.positive,
        inputs.negative,
        Guidance(settings.cfg_scale, (low, high), settings.scale_phi),
        model.config.objective,
    )
    shape = (model.config.file.model.io_channels, model.config.latents)
    noise = NoiseSource([job.seed for job in jobs], shape, model.device)
    request = ScheduleRequest(
        settings.steps,
        settings.sigma_min,
        settings.sigma_max,
        settings.rho,
        model.config.latents,
        model.config.shift,
    )
    latents = draw(batch.settings.sampler, guided, request, noise, observer.step)
    observer.stage("decoding")
    # One by one: the activations of a decoder are far larger than those of the network before it.
    audio = [model.decode(one[None])[0].cpu().numpy() for one in latents]
    return [np.ascontiguousarray(one, dtype=np.float32) for one in audio]


def _negatives(jobs: Sequence[Job], config: ModelConfig) -> list[Mapping[str, Any] | None]:
    """For each job its conditioning with the negative prompt as its prompt; None without one."""
    keys = {section.id for section in config.conditioners} | set(config.default_keys.values())
    if "prompt" not in keys:
        return [None for _ in jobs]
    return [
        None if job.negative_prompt is None else {**job.values, "prompt": job.negative_prompt}
        for job in jobs
    ]
