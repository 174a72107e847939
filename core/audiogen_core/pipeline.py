"""The whole flow of a run: check everything, load the model, make one batch after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiogen_core.diffusion.guidance import Guidance, GuidedModel
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.diffusion.sampling import draw
from audiogen_core.interfaces.encoder import FloatArray
from audiogen_core.interfaces.sampler import ScheduleRequest
from audiogen_core.jobs import Batch, Job
from audiogen_core.models.config import ModelConfig
from audiogen_core.observer import Observer
from audiogen_core.output import write_output
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.prepare import Prepared, Request, prepare
from audiogen_core.registry import describe


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        written: The finished files.
        failures: The outputs that could not be made, each with its cause.
    """

    written: list[Path] = field(default_factory=list)
    failures: list[tuple[Job, str]] = field(default_factory=list)


def run(request: Request, plugins: PluginManager, observer: Observer) -> Outcome:
    """Makes every output of a request.

    Raises:
        AudiogenError: The request is wrong, or the model cannot be had: nothing was written.
    """
    prepared = prepare(request, plugins, observer)
    prepared.load(observer)
    outcome = Outcome()
    observer.planned(prepared.plan.outputs)
    for batch in prepared.plan.batches:
        _run_batch(prepared, batch, observer, outcome)
    return outcome


def _run_batch(prepared: Prepared, batch: Batch, observer: Observer, outcome: Outcome) -> None:
    """Makes the outputs of a batch; what goes wrong costs only the outputs that it concerns."""

    def fail(job: Job, error: Exception) -> None:
        outcome.failures.append((job, describe(error)))
        observer.failed(job, describe(error))

    try:
        audio = make_audio(prepared, batch, observer)
    except Exception as error:
        for job in batch.jobs:
            fail(job, error)
        return
    for job, one in zip(batch.jobs, audio, strict=True):
        try:
            path = write_output(prepared, batch, job, one, observer)
        except Exception as error:
            fail(job, error)
        else:
            outcome.written.append(path)
            observer.written(path)


def make_audio(prepared: Prepared, batch: Batch, observer: Observer) -> list[FloatArray]:
    """Conditions, samples and decodes a batch.

    Returns:
        The audio of each job as the model made it, ``[channels, samples]``.
    """
    model, settings = prepared.model, prepared.request.config.generation
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
    latents = draw(prepared.sampler, guided, request, noise, observer.step)
    observer.stage("decoding")
    audio = model.decode(latents).cpu().numpy()
    return [np.ascontiguousarray(one, dtype=np.float32) for one in audio]


def _negatives(jobs: tuple[Job, ...], config: ModelConfig) -> list[Mapping[str, Any]] | None:
    """The conditioning of the unconditional half; None where no conditioner reads a prompt."""
    keys = {section.id for section in config.conditioners} | set(config.default_keys.values())
    negative = jobs[0].negative_prompt
    if negative is None or "prompt" not in keys:
        return None
    return [{**job.values, "prompt": job.negative_prompt} for job in jobs]
