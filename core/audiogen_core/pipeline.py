"""The whole flow of a run: check everything, load the model, make one batch after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from audiogen_core.batching import Batch
from audiogen_core.diffusion.guidance import Guidance, GuidedModel
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.diffusion.sampling import draw
from audiogen_core.failures import FailureLog
from audiogen_core.interfaces.encoder import FloatArray
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interfaces.sampler import ScheduleRequest
from audiogen_core.interrupts import held_stop, raise_if_stopped
from audiogen_core.joblist import JobList
from audiogen_core.jobs import Job
from audiogen_core.memory import is_out_of_memory
from audiogen_core.models.config import ModelConfig
from audiogen_core.models.encoding import encoded
from audiogen_core.models.model import Model
from audiogen_core.observer import Observers
from audiogen_core.outcome import Outcome
from audiogen_core.output import write_output
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.prepare import Planned, Prepared, Request, prepare
from audiogen_core.publishing import concerns_all
from audiogen_core.registry import describe
from audiogen_core.runfolder.folder import OpenFolder
from audiogen_core.standing import State
from audiogen_core.storage.upload import Upload
from audiogen_core.worklist import WorkList


def run(
    request: Request,
    plugins: PluginManager,
    observers: Sequence[Observer] = (),
    loaded: Model | None = None,
) -> Outcome:
    """Makes every output of a request that does not stand already.

    Args:
        request: What to make.
        plugins: Where what it names comes from.
        observers: Who is told, besides the observers of the config; an observer of the config
            with the name of one of these is not needed, and told nothing.
        loaded: The request's model where it is there already.

    Raises:
        AudiogenError: The request is wrong, or the model cannot be had: nothing was written.
    """
    names = {one.NAME for one in observers}
    others = [one for one in request.config.observers if one.NAME not in names]
    observer = Observers([*observers, *others], plugins)
    try:
        prepared = prepare(request, plugins, observer, loaded)
        if prepared.remote is not None:
            observer.add(Upload(prepared.remote))
        if not prepared.left:
            _clear_up(prepared)
            outcome = prepared.outcome()
            observer.run_started(request.config, [])
            _end(outcome, observer)
            return outcome
        if loaded is None:
            prepared.load(observer)
        return make_outputs(prepared, observer)
    finally:
        observer.close()


def make_outputs(prepared: Prepared, observer: Observer) -> Outcome:
    """Makes the outputs of a run whose model is loaded, or until it is stopped."""
    outcome = prepared.outcome()
    try:
        with prepared.open() as (prepared, folder):
            outcome.there_before = prepared.done
            _Run(prepared, folder, observer, outcome).work()
    except KeyboardInterrupt:
        outcome.interrupted = True
    except OSError as error:
        # Single files fail on their own; what gets here concerns the folder, and so all of them.
        outcome.stopped = describe(error)
    try:
        _end(outcome, observer)
    except KeyboardInterrupt:
        outcome.interrupted = True  # nothing is left to make, but somebody waits for the command
    return outcome


def _end(outcome: Outcome, observer: Observer) -> None:
    """Tells the observers that a run has ended, and then what they have to say of it."""
    observer.run_ended(outcome)
    for note in outcome.notes:
        observer.note(note)


def _clear_up(prepared: Prepared) -> None:
    """Ends what another run was ended in the midst of, where nothing is left to make."""
    if FailureLog(prepared.request.folder).identities() or prepared.folder.has_workers():
        with suppress(OSError), prepared.folder.open() as folder:  # it may be read-only
            _forget_failures(prepared, folder)


def _forget_failures(prepared: Prepared, folder: OpenFolder) -> None:
    """Takes out of the list of failures what stands now, unless others may be adding to it."""
    if folder.others():
        return
    log, standing = FailureLog(prepared.request.folder), prepared.standing
    if not (failed := log.identities()):
        return
    jobs = [job for job in prepared.plan.jobs if job.identity in failed]
    standing.look_again(jobs)
    log.forget(frozenset(job.identity for job in jobs if standing.state(job) is State.DONE))


class _Run:
    """A run whose output folder is open."""

    def __init__(
        self, prepared: Prepared, folder: OpenFolder, observer: Observer, outcome: Outcome
    ) -> None:
        self._prepared = prepared
        self._folder = folder
        self._observer = observer
        self._outcome = outcome
        self._failures = FailureLog(prepared.request.folder)

    def work(self) -> None:
        """Makes what is left."""
        prepared, observer = self._prepared, self._observer
        jobs = JobList(job for job in prepared.plan.jobs if job.index in prepared.left)
        observer.run_started(prepared.request.config, jobs)
        for batch in WorkList(prepared, self._folder, self._outcome, self._fail).batches():
            self._make(batch)
        _forget_failures(prepared, self._folder)

    def _make(self, batch: Batch) -> None:
        for part, index, made in make_batch(self._prepared, batch, self._observer):
            if isinstance(made, str):
                self._fail(part.jobs[index], made)
                continue
            with held_stop():
                self._write(part, index, made)

    def _write(self, batch: Batch, index: int, audio: FloatArray) -> None:
        try:
            output = write_output(self._prepared, self._folder, batch, index, audio, self._observer)
        except Exception as error:
            if concerns_all(error, self._prepared.request.folder):
                raise
            self._fail(batch.jobs[index], describe(error))
        else:
            self._outcome.written.append(output.path)

    def _fail(self, job: Job, cause: str) -> None:
        self._outcome.failures.append((job, cause))
        self._observer.sample_failed(job, cause)
        self._failures.append(job, cause)


def make_batch(
    planned: Planned, batch: Batch, observer: Observer
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
        audio = make_audio(planned, batch, observer)
    except Exception as error:
        raise_if_stopped()
        # No more than the words: the error itself holds on to the memory that a retry needs.
        audio, cause = {}, describe(error)
        smaller = batch.halves() if is_out_of_memory(error) else batch.samples()
    if audio:
        for index, one_audio in audio.items():
            yield batch, index, one_audio
    elif len(smaller) > 1 or (smaller and len(smaller[0].jobs) < len(batch.jobs)):
        for one in smaller:
            yield from make_batch(planned, one, observer)
    else:
        for index, job in enumerate(batch.jobs):
            if job.index in batch.wanted:
                yield batch, index, cause


def make_audio(planned: Planned, batch: Batch, observer: Observer) -> dict[int, FloatArray]:
    """Conditions, samples and decodes a batch.

    Returns:
        The audio of each wanted job as the model made it, ``[channels, samples]``, by its place.
    """
    model, settings = planned.model, batch.settings.generation
    jobs = batch.jobs
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
    drawn = draw(batch.settings.sampler, guided, request, noise, observer.step, clean)
    observer.stage("decoding")
    # One by one: the activations of a decoder are far larger than those of the network before it.
    wanted = [index for index, job in enumerate(jobs) if job.index in batch.wanted]
    audio = {index: model.decode(drawn[index][None])[0].cpu().numpy() for index in wanted}
    return {index: np.ascontiguousarray(one, dtype=np.float32) for index, one in audio.items()}


def _negatives(jobs: Sequence[Job], config: ModelConfig) -> list[Mapping[str, Any] | None]:
    """For each job its conditioning with the negative prompt as its prompt; None without one."""
    keys = {section.id for section in config.conditioners} | set(config.default_keys.values())
    if "prompt" not in keys:
        return [None for _ in jobs]
    return [
        None if job.negative_prompt is None else {**job.values, "prompt": job.negative_prompt}
        for job in jobs
    ]
