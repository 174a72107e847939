"""Plans a run: one frozen job for each output, checked against the model before it is loaded."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiogen_core.config import GenerationConfig
from audiogen_core.identity import Identities
from audiogen_core.interfaces.naming import NamedJob
from audiogen_core.job import Job
from audiogen_core.joblist import JobList
from audiogen_core.models.config import ModelConfig
from audiogen_core.names import UniqueNames, shard_dir
from audiogen_core.options import type_name
from audiogen_core.planned_samples import PlannedSample, PlannedSamples, file_keys_of, value_checks
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.recordings import is_encoded
from audiogen_core.seeds import DRAW, Seeds
from audiogen_core.settings import SettingsBook


@dataclass(frozen=True)
class Plan:
    """All outputs of a run.

    Attributes:
        jobs: In the order of the samples.
        notes: What the user should know about them.
        draws: Whether seeds of some were drawn.
        encodes: Whether some begin with recordings, which have to become latents.
    """

    jobs: Sequence[Job]
    notes: tuple[str, ...]
    draws: bool = False
    encodes: bool = False


def plan_jobs(
    config: GenerationConfig,
    model: ModelConfig,
    plugins: PluginManager,
    identity: Mapping[str, Any] | None = None,
    seeds: Seeds | None = None,
) -> Plan:
    """Expands a config into jobs.

    Args:
        config: The config.
        model: The model's config.
        plugins: Where what they name comes from.
        identity: What identifies the model; None where nothing will be made.
        seeds: Draws those that are left open; None for ones that nobody will draw again.

    Raises:
        InputError: The sampler does not fit the model, or a sample lacks a value, or has one that
            cannot be used; every one.
    """
    checks = value_checks(model, plugins)
    samples = PlannedSamples(config, model, checks, SettingsBook(config, model, plugins), plugins)
    names = _Names(config, plugins)
    seeds = seeds or Seeds(secrets.token_hex())
    identities = Identities(identity or {}, form_of(config), file_keys_of(model, plugins))
    jobs = JobList()
    draws = encodes = False
    for page in samples:
        encodes |= any(is_encoded(one.values) for one in page)
        draws |= any(one.seed == DRAW for one in page)
        for job in _jobs_of(page, len(jobs), config, names, seeds, identities):
            jobs.append(job)
    return Plan(jobs, samples.notes(), draws, encodes)


def _jobs_of(
    samples: Sequence[PlannedSample],
    first: int,
    config: GenerationConfig,
    names: _Names,
    seeds: Seeds,
    identities: Identities,
) -> Iterator[Job]:
    """The outputs of some samples, stage by stage: the code of each fits a processor's caches."""
    made_of = [identities.made_of(one.values) for one in samples]
    outputs = [
        (one, made, copy)
        for one, made in zip(samples, made_of, strict=True)
        for copy in range(config.generation.batch_size)
    ]
    drawn = [seeds.of(one.seed, copy, made.content + one.own) for one, made, copy in outputs]
    pairs = [(*output, seed) for output, seed in zip(outputs, drawn, strict=True)]
    named = [
        NamedJob(index, copy, one.values, seed, one.settings.complete(seed))
        for index, (one, _, copy, seed) in enumerate(pairs, first)
    ]
    stems = names.of(named)
    found = [made.identity(one.settings.text(seed)) for one, made, _, seed in pairs]
    for index, (one, _, copy, seed) in enumerate(pairs):
        stem, identity = stems[index], found[index]
        yield Job(first + index, copy, one.where, one.values, seed, stem, one.settings, identity)


class _Names:
    """Names the outputs of a run, each once."""

    def __init__(self, config: GenerationConfig, plugins: PluginManager) -> None:
        self._naming = config.naming
        self._folders = config.output.shard_dirs
        self._registry = plugins.naming
        self._unique = UniqueNames()

    def of(self, jobs: Sequence[NamedJob]) -> list[str]:
        """Their stems, with the folder where they are spread over several."""
        with self._registry.calling(self._naming.NAME, "output.file_naming"):
            stems: list[Any] = [self._naming.stem(job) for job in jobs]
            for stem in stems:
                if not isinstance(stem, str):
                    raise TypeError(f"its stem is {type_name(stem)}, and no string")
        unique = [self._unique.claim(stem) for stem in stems]
        if self._folders is None:
            return unique
        return [f"{shard_dir(stem, self._folders)}/{stem}" for stem in unique]


def identity_of(
    job: Job,
    config: GenerationConfig,
    model: ModelConfig,
    plugins: PluginManager,
    identity: Mapping[str, Any],
) -> str:
    """What a job's output is made from, in one word, where another config says its format.

    Args:
        job: The job.
        config: The config.
        model: The model's config.
        plugins: Where what they name comes from.
        identity: What identifies the model.
    """
    identities = Identities(identity, form_of(config), file_keys_of(model, plugins))
    return identities.made_of(job.values).identity(job.settings.text(job.seed))


def form_of(config: GenerationConfig) -> dict[str, Any]:
    """What is made of the audio, as JSON."""
    return {
        "file_format": config.encoder.NAME,
        "file_format_options": config.encoder.options.model_dump(mode="json"),
        "cut_to_seconds_total": config.output.cut_to_seconds_total,
        "post_processing": [
            {"name": one.NAME, **one.options.model_dump(mode="json")}
            for one in config.post_processors
        ],
    }
