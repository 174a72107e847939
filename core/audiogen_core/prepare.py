"""Checks a request as far as can be without weights, and plans and builds what it asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch

from audiogen_core.batching import Place
from audiogen_core.compact import Indexes
from audiogen_core.config import GenerationConfig
from audiogen_core.errors import InputError, Problem
from audiogen_core.failures import FailureLog
from audiogen_core.interfaces.encoder import EncoderUnavailableError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.job import Job
from audiogen_core.joblist import JobList
from audiogen_core.jobs import Plan, plan_jobs
from audiogen_core.memory import batch_limit
from audiogen_core.models.build import check_embeddings
from audiogen_core.models.config import ModelConfig
from audiogen_core.models.model import Model
from audiogen_core.models.source import ModelSource
from audiogen_core.models.wanted import WantedModel
from audiogen_core.on_existing import OnExisting
from audiogen_core.outcome import Outcome
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.precision import Quantization
from audiogen_core.publishing import check_output_folder, check_output_names
from audiogen_core.runfolder.folder import OpenFolder, RunFolder
from audiogen_core.seeds import Seeds
from audiogen_core.settings import Settings
from audiogen_core.standing import Standing, settle
from audiogen_core.storage.address import is_address, local_folder
from audiogen_core.storage.local import LocalStorage
from audiogen_core.storage.remote import RemoteStorage
from audiogen_core.storage.shared import learn_shared, share_seeds

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        config: The generation config.
        source: The model.
        autoencoder_path: A checkpoint whose autoencoder replaces the model's own.
        device: Where to compute.
        dtype: The type of the weights.
        quantization: What the backbone's are rounded to; None for nothing.
        compiled: Whether the backbone's blocks are compiled.
        max_batch: How many outputs may be sampled together; by the free memory for None.
        on_existing: What happens to outputs whose names are taken.
        shard: Which part of the samples to make, from 1, and of how many; None for all.
        retry_failed: Whether to make only outputs that are known to have failed.
        new_seeds: Whether to draw seeds anew that the output folder has fixed already.
        place: Makes only the first output, at this place of a batch; None for all of them.
        stem: What that one is called without its ending; None for what the config says.
    """

    config: GenerationConfig
    source: ModelSource
    device: torch.device
    autoencoder_path: Path | None = None
    dtype: torch.dtype = torch.float32
    quantization: Quantization | None = None
    compiled: bool = False
    max_batch: int | None = None
    on_existing: OnExisting = OnExisting.SKIP
    shard: tuple[int, int] | None = None
    retry_failed: bool = False
    new_seeds: bool = False
    place: Place | None = None
    stem: str | None = None

    @property
    def folder(self) -> Path:
        """The folder to work in: where the outputs go, unless that is an address."""
        return local_folder(self.config.output.output_dir)

    @property
    def destination(self) -> str:
        """Where the outputs go: the folder or the address."""
        output_dir = self.config.output.output_dir
        return output_dir.rstrip("/") if is_address(output_dir) else str(self.folder)

    @property
    def wanted(self) -> WantedModel:
        """The model, where and how it is to compute."""
        return WantedModel(
            self.source,
            self.device,
            self.autoencoder_path,
            self.dtype,
            self.quantization,
            self.compiled,
        )


@dataclass(frozen=True)
class Planned:
    """What is to be made, and with which model: all that decides how it sounds.

    Attributes:
        request: The request.
        plugins: Where what it names comes from.
        model: The model.
        identity: What the metadata says so that the same weights can be found again.
        plan: The outputs, under their final names.
    """

    request: Request
    plugins: PluginManager
    model: Model
    identity: Mapping[str, Any]
    plan: Plan

    def batch_limit(self, settings: Settings) -> int:
        """How many outputs with these settings may be sampled together, once it is loaded."""
        return self.request.max_batch or batch_limit(self.model, settings)


@dataclass(frozen=True)
class Prepared(Planned):
    """A request that passed every check, with its model built but not loaded.

    Attributes:
        folder: The folder that is worked in.
        remote: The object store that outputs are brought to; None where they stay in the folder.
        standing: What stands in the output folder.
        left: The indexes of the outputs that are to be made.
        done: How many of those that are asked for are done.
    """

    folder: RunFolder
    remote: RemoteStorage | None
    standing: Standing
    left: Set[int]
    done: int

    def outcome(self) -> Outcome:
        """What came of the run, before anything is made."""
        return Outcome(self.done + len(self.left), there_before=self.done)

    @contextmanager
    def open(self) -> Iterator[tuple[Prepared, OpenFolder]]:
        """Opens the output folder to work in; another process may have fixed its seeds meanwhile.

        Raises:
            OSError: It cannot be written.
            InputError: With these seeds, names are taken.
        """
        key = self.folder.key
        with self.folder.open() as folder:
            if self.remote is not None:
                share_seeds(self.folder, self.remote, anew=self.request.new_seeds)
            same = self.folder.key == key
            yield self if same else self._planned_again(), folder

    def _planned_again(self) -> Prepared:
        return _plan(
            self.request, self.plugins, self.model, self.identity, self.folder, self.remote
        )

    def load(self, observer: Observer) -> None:
        """Gets the weights and loads them: first those that the model config names."""
        self.request.wanted.load(self.model, observer, encodes=self.plan.encodes)


def prepare(
    request: Request, plugins: PluginManager, observer: Observer, loaded: Model | None = None
) -> Prepared:
    """Checks all that can be checked before any weights are read.

    Args:
        request: What to make.
        plugins: Where what it names comes from.
        observer: Is told how it goes.
        loaded: The request's model where it is there already.

    Raises:
        AudiogenError: Something is wrong, with the place and what is allowed.
    """
    model = loaded or request.wanted.build(plugins, observer)
    identity = request.wanted.identity(model)
    remote = None
    if is_address(request.config.output.output_dir):
        remote = RemoteStorage(request.destination)
    folder = RunFolder(request.folder, anew=request.new_seeds)
    try:
        if remote is not None:
            learn_shared(folder, remote, anew=request.new_seeds)
        prepared = _plan(request, plugins, model, identity, folder, remote)
    except OSError as error:
        if remote is None:
            raise
        raise remote.refused(error) from None
    source = request.source
    notes = (source.note(), source.advice(request.config.generation), *model.config.notes)
    for note in (*notes, *prepared.plan.notes):
        if note is not None:
            observer.note(note)
    return prepared


def check(request: Request, plugins: PluginManager, observer: Observer) -> None:
    """Checks all of a request that neither weights nor the output folder decide.

    Args:
        request: What would be made.
        plugins: Where what it names comes from.
        observer: Is told how it goes.

    Raises:
        AudiogenError: Something is wrong, with the place and what is allowed.
    """
    config, model = request.config, request.wanted.build(plugins, observer)
    problems = _Problems()
    problems.of(plan_without_folder, request, plugins, model, {})
    problems.of(_check_encoder, config, model.config, plugins)
    if problems.found:
        raise InputError(problems.found, config.origin, more=problems.more)


def plan_without_folder(
    request: Request, plugins: PluginManager, model: Model, identity: Mapping[str, Any]
) -> Planned:
    """Plans outputs that stay in memory: nothing of an output folder is looked at.

    Args:
        request: What to make.
        plugins: Where what it names comes from.
        model: The model.
        identity: What identifies it.

    Raises:
        InputError: The config does not fit the model, or a sample is wrong; every problem.
    """
    plan = plan_jobs(request.config, model.config, plugins, identity)
    try:
        check_embeddings(model, plan)
    except InputError as error:
        raise InputError(error.problems, request.config.origin, more=error.more) from None
    return Planned(request, plugins, model, identity, plan)


def _plan(
    request: Request,
    plugins: PluginManager,
    model: Model,
    identity: Mapping[str, Any],
    folder: RunFolder,
    remote: RemoteStorage | None,
) -> Prepared:
    """Plans the outputs, and looks which of them are left to make."""
    config = request.config
    problems = _Problems()
    plan = problems.of(plan_jobs, config, model.config, plugins, identity, Seeds(folder.key))
    if plan is not None:
        problems.of(check_embeddings, model, plan)
    problems.of(_check_encoder, config, model.config, plugins)
    if plan is not None and request.place is not None:
        first = plan.jobs[0]
        plan = replace(plan, jobs=(replace(first, stem=request.stem or first.stem),))
    if plan is None or problems.found or not os.path.isdir(request.folder):  # noqa: PTH112, for it may be too long
        problems.of(check_output_folder, request.folder)
    if plan is not None:
        names = (f"{job.stem}{config.encoder.EXTENSION}" for job in plan.jobs)
        problems.of(check_output_names, request.folder, names)
    if plan is None or problems.found:
        raise InputError(problems.found, config.origin, more=problems.more)
    output = config.output
    storage = remote or LocalStorage(request.folder, in_folders=output.shard_dirs is not None)
    standing = Standing(
        folder, storage, config.encoder.EXTENSION, with_metadata=output.save_metadata
    )
    jobs = _shard(plan.jobs, request.shard)
    try:
        jobs, done = settle(
            jobs, standing, request.on_existing, config.encoder.EXTENSION, plan.jobs
        )
        failed = FailureLog(request.folder).identities() if request.retry_failed else None
        asked = Indexes(job.index for job in jobs if failed is None or job.identity in failed)
        left = asked - done
        # Where nothing is left to make, nothing need be writable.
        if left:
            check_output_folder(request.folder)
    except InputError as error:
        raise InputError(error.problems, config.origin, more=error.more) from None
    notes = (*plan.notes, *_notes(request, plan, len(asked), len(asked & done)))
    if request.place is not None:
        jobs = request.place.fill(jobs[0])
        left = Indexes([request.place.index] if left else ())
    plan = replace(plan, jobs=jobs, notes=notes)
    return Prepared(
        request, plugins, model, identity, plan, folder, remote, standing, left, len(asked & done)
    )


def _notes(request: Request, plan: Plan, asked: int, done: int) -> Iterator[str]:
    """What the user should know about outputs that need not be made."""
    where = f"in '{request.destination}' already"
    if request.retry_failed and done == asked:
        yield "nothing to do: no output that failed before is left to make"
    elif done and done == asked:
        which = "the output stands" if asked == 1 else f"all {asked} outputs stand"
        redrawn = plan.draws and request.place is None
        hint = "; --new-seeds draws other seeds" if redrawn else ""
        yield f"nothing to do: {which} {where}{hint}"
    elif done:
        yield f"{done} of {asked} outputs stand {where}"


def _shard(jobs: Sequence[Job], shard: tuple[int, int] | None) -> Sequence[Job]:
    """The outputs of every n-th sample: the same whatever machine asks, and whatever is done."""
    if shard is None:
        return jobs
    number, count = shard
    samples = accumulate(job.copy == 0 for job in jobs)
    return JobList(
        job for job, sample in zip(jobs, samples, strict=True) if (sample - number) % count == 0
    )


class _Problems:
    """Collects what several checks find wrong with a config, so that the user sees all of it."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.more = False

    def of(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return check(*args, **kwargs)
        except InputError as error:
            self.found.extend(error.problems)
            self.more |= error.more
            return None


def _check_encoder(config: GenerationConfig, model: ModelConfig, plugins: PluginManager) -> None:
    where = "output.file_format"
    with plugins.encoders.calling(config.encoder.NAME, where):
        try:
            config.encoder.check(model.sample_rate, model.channels)
        except EncoderUnavailableError as error:
            raise InputError(Problem(where, str(error))) from None
