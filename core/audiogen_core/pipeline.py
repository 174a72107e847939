"""The whole flow of a run: check everything, load the model, make one batch after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from audiogen_core.config import DEFAULT_SAMPLERS, GenerationConfig, check_sampler_options
from audiogen_core.devices import half_type
from audiogen_core.diffusion.guidance import Guidance, GuidedModel
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.diffusion.sampling import draw
from audiogen_core.errors import InputError, Problem, UsageError, listed
from audiogen_core.interfaces.encoder import EncoderUnavailableError, FloatArray
from audiogen_core.interfaces.sampler import Sampler, ScheduleRequest
from audiogen_core.jobs import Batch, Job, Plan, plan_jobs
from audiogen_core.metadata import metadata, write_metadata
from audiogen_core.models.config import ModelConfig
from audiogen_core.models.model import Model, build_model
from audiogen_core.models.source import ModelSource, check_checkpoint_path
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.publishing import check_output_folder, publish
from audiogen_core.registry import describe


class Observer(Protocol):
    """Is told how a run goes."""

    def stage(self, what: str) -> None:
        """A new stage begins: ``loading the model``."""

    def note(self, what: str) -> None:
        """Something the user should know."""

    def planned(self, outputs: int) -> None:
        """The run will write this many files."""

    def step(self, done: int, total: int | None) -> None:
        """The sampler finished a step of the current batch."""

    def written(self, path: Path) -> None:
        """An output is whole and in its place."""

    def failed(self, job: Job, cause: str) -> None:
        """An output could not be made."""


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        config: The generation config.
        source: The model.
        autoencoder_path: A checkpoint whose autoencoder replaces the model's own.
        device: Where to compute.
        half: Whether the weights are 16 bits wide.
    """

    config: GenerationConfig
    source: ModelSource
    device: torch.device
    autoencoder_path: Path | None = None
    half: bool = False


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


@dataclass(frozen=True)
class Prepared:
    """A request that passed every check, with its model built but not loaded."""

    request: Request
    plugins: PluginManager
    model: Model
    sampler: Sampler
    plan: Plan

    def load(self, observer: Observer) -> None:
        """Gets the weights and loads them."""
        observer.stage("getting the weights")
        path = self.request.source.checkpoint()
        observer.stage("loading the model")
        self.model.load(
            path,
            autoencoder_path=self.request.autoencoder_path,
            device=self.request.device,
            dtype=half_type(self.request.device) if self.request.half else torch.float32,
        )


def prepare(request: Request, plugins: PluginManager, observer: Observer) -> Prepared:
    """Checks all that can be checked before any weights are read.

    Raises:
        AudiogenError: Something is wrong, with the place and what is allowed.
    """
    config = request.config
    if request.autoencoder_path is not None:
        check_checkpoint_path(request.autoencoder_path)
    check_output_folder(_folder(config))
    observer.stage("reading the model config")
    model_config = request.source.config()
    for note in model_config.notes:
        observer.note(note)
    sampler = _sampler(config, model_config, plugins)
    model = build_model(model_config, plugins, request.source.folder)
    plan = plan_jobs(config, model_config, plugins)
    for note in plan.notes:
        observer.note(note)
    _check_encoder(config, model_config)
    if request.autoencoder_path is not None and model.pretransform is None:
        raise UsageError("--pretransform-ckpt-path: this model has no pretransform")
    return Prepared(request, plugins, model, sampler, plan)


def _folder(config: GenerationConfig) -> Path:
    return Path(config.output.output_dir).expanduser()


def _sampler(config: GenerationConfig, model: ModelConfig, plugins: PluginManager) -> Sampler:
    name = config.generation.sampler_type or DEFAULT_SAMPLERS[model.objective]
    if name not in plugins.samplers:
        raise InputError(
            Problem("generation.sampler_type", plugins.samplers.unknown(name)), config.origin
        )
    plugin = plugins.samplers.load(name)
    if model.objective not in plugin.OBJECTIVES:
        fitting = [
            one
            for one in plugins.samplers.names()
            if model.objective in plugins.samplers.load(one).OBJECTIVES
        ]
        raise InputError(
            Problem(
                "generation.sampler_type",
                f"'{name}' cannot sample this model, whose objective is '{model.objective}'; "
                f"allowed: {listed(fitting)}",
            ),
            config.origin,
        )
    try:
        return plugin(check_sampler_options(plugins, name, config.sampler_options))
    except InputError as error:
        raise InputError(error.problems, config.origin) from None


def _check_encoder(config: GenerationConfig, model: ModelConfig) -> None:
    try:
        config.encoder.check(model.sample_rate, model.channels)
    except EncoderUnavailableError as error:
        raise InputError(Problem("output.file_format", str(error)), config.origin) from None


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
            path = _write(prepared, batch, job, one, observer)
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


def _write(
    prepared: Prepared, batch: Batch, job: Job, audio: FloatArray, observer: Observer
) -> Path:
    config, model = prepared.request.config, prepared.model
    audio = _normalized(audio)
    if not audio.any():
        observer.note(f"{job.stem}: the model made silence")
    audio = _cut(audio, job, config, model.config.sample_rate)
    folder = _folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{job.stem}{config.encoder.EXTENSION}"
    publish(path, lambda file: config.encoder.encode(audio, model.config.sample_rate, file))
    if config.output.save_metadata:
        content = metadata(
            job,
            batch,
            config,
            prepared.sampler.NAME,
            model.config,
            identity=prepared.request.source.identity(),
            plugins=prepared.plugins,
            samples=audio.shape[-1],
            device=str(model.device),
            dtype=str(model.dtype).removeprefix("torch."),
        )
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
