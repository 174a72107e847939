"""Checks a request as far as can be without weights, and plans and builds what it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch

from audiogen_core.config import GenerationConfig
from audiogen_core.devices import half_type
from audiogen_core.errors import InputError, Problem, UsageError
from audiogen_core.interfaces.encoder import EncoderUnavailableError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.jobs import Plan, plan_jobs
from audiogen_core.memory import batch_limit
from audiogen_core.models.build import build_model, check_embeddings
from audiogen_core.models.config import ModelConfig
from audiogen_core.models.model import Model
from audiogen_core.models.source import ModelSource, check_checkpoint_path
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.publishing import check_output_folder
from audiogen_core.settings import Settings

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
        half: Whether the weights are 16 bits wide.
        max_batch: How many outputs may be sampled together; by the free memory for None.
    """

    config: GenerationConfig
    source: ModelSource
    device: torch.device
    autoencoder_path: Path | None = None
    half: bool = False
    max_batch: int | None = None


@dataclass(frozen=True)
class Prepared:
    """A request that passed every check, with its model built but not loaded."""

    request: Request
    plugins: PluginManager
    model: Model
    plan: Plan

    def load(self, observer: Observer) -> None:
        """Gets the weights and loads them: first those that the model config names."""
        request = self.request
        dtype = half_type(request.device) if request.half else torch.float32
        observer.stage("preparing the conditioners")
        self.model.prepare(request.device, dtype)
        observer.stage("getting the weights")
        path = request.source.checkpoint(observer.downloaded)
        observer.stage("loading the model")
        self.model.load(
            path,
            autoencoder_path=request.autoencoder_path,
            device=request.device,
            dtype=dtype,
        )

    def batch_limit(self, settings: Settings) -> int:
        """How many outputs with these settings may be sampled together, once it is loaded."""
        return self.request.max_batch or batch_limit(self.model, settings)

    def identity(self) -> dict[str, Any]:
        """What to write into the metadata so that the same weights can be found again."""
        found = {key: one.identity() for key, one in self.model.conditioners.items()}
        conditioners = {key: identity for key, identity in found.items() if identity}
        identity = {**self.request.source.identity(), "conditioners": conditioners}
        if (path := self.request.autoencoder_path) is not None:
            identity["pretransform_ckpt_path"] = str(path.resolve())
        return identity


def prepare(request: Request, plugins: PluginManager, observer: Observer) -> Prepared:
    """Checks all that can be checked before any weights are read.

    Raises:
        AudiogenError: Something is wrong, with the place and what is allowed.
    """
    config = request.config
    if request.autoencoder_path is not None:
        check_checkpoint_path(request.autoencoder_path)
    observer.stage("reading the model config")
    model_config = request.source.config()
    model = build_model(model_config, plugins, request.source.folder, observer.downloaded)
    if request.autoencoder_path is not None and model.pretransform is None:
        raise UsageError("--pretransform-ckpt-path: this model has no pretransform")
    problems = _Problems()
    plan = problems.of(plan_jobs, config, model_config, plugins)
    if plan is not None:
        problems.of(check_embeddings, model, plan)
    problems.of(_check_encoder, config, model_config)
    problems.of(check_output_folder, Path(config.output.output_dir).expanduser())
    if plan is None or problems.found:
        raise InputError(problems.found, config.origin, more=problems.more)
    for note in (request.source.note(), *model_config.notes, *plan.notes):
        if note is not None:
            observer.note(note)
    return Prepared(request, plugins, model, plan)


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


def _check_encoder(config: GenerationConfig, model: ModelConfig) -> None:
    try:
        config.encoder.check(model.sample_rate, model.channels)
    except EncoderUnavailableError as error:
        raise InputError(Problem("output.file_format", str(error))) from None
