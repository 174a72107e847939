"""Plans a run: one frozen job for each output, checked against the model before it is loaded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiogen_core.config import DOCUMENTED_CONDITIONING, GenerationConfig
from audiogen_core.embedding_file import check_embedding_file
from audiogen_core.errors import InputError, Problem, did_you_mean, listed, nearest
from audiogen_core.interfaces.input_source import Sample
from audiogen_core.interfaces.naming import NamedJob
from audiogen_core.models.config import ModelConfig
from audiogen_core.names import UniqueNames
from audiogen_core.options import shown, type_name, validate
from audiogen_core.plugin_manager import PluginManager

ValueCheck = Callable[[Any], None]
"""Raises a ValueError for a conditioning value that cannot be used."""

MAX_PROBLEMS = 50
"""Enough to see what is wrong with a long input."""

MAX_SECONDS = 10**9
"""More than any audio lasts, and little enough to calculate with."""


@dataclass(frozen=True)
class Job:
    """One output.

    Attributes:
        index: Its position in the run, from 0.
        copy: Which output of the same sample it is, from 0.
        where: Where its sample stands.
        values: The sample's conditioning values with the defaults filled in.
        seed: Its own seed.
        stem: Its file name without ending, unique in the run.
    """

    index: int
    copy: int
    where: str
    values: Mapping[str, Any]
    seed: int
    stem: str

    @property
    def negative_prompt(self) -> str | None:
        """The negative prompt; None for an empty one."""
        return self.values.get("negative_prompt") or None


@dataclass(frozen=True)
class Batch:
    """The outputs of one sample, which are sampled together."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Plan:
    """All batches of a run.

    Attributes:
        batches: In the order of the samples.
        notes: What the user should know about them.
    """

    batches: tuple[Batch, ...]
    notes: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """How many files the run will write."""
        return sum(len(batch.jobs) for batch in self.batches)


def plan_jobs(config: GenerationConfig, model: ModelConfig, plugins: PluginManager) -> Plan:
    """Expands a config into jobs.

    Raises:
        InputError: A sample lacks a value, or has one that the model cannot use; every one.
    """
    checks = _value_checks(model, plugins)
    samples = _Samples(config, model, checks)
    names = UniqueNames()
    seeds = _Seeds(config.generation.seed)
    generation = config.generation.model_dump()
    batches = []
    index = 0
    for sample, values in samples:
        jobs = []
        for copy in range(config.generation.batch_size):
            seed = seeds.of(copy)
            stem = config.naming.stem(NamedJob(index, copy, values, seed, generation))
            jobs.append(Job(index, copy, sample.where, values, seed, names.claim(stem)))
            index += 1
        batches.append(Batch(tuple(jobs)))
    return Plan(tuple(batches), samples.notes())


class _Seeds:
    """A seed for each output: the config's plus its copy's number, or for -1 one never drawn."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn: set[int] = set()

    def of(self, copy: int) -> int:
        if self._seed != -1:
            return self._seed + copy
        while (seed := secrets.randbelow(2**32 - 1)) in self._drawn:
            pass
        self._drawn.add(seed)
        return seed


class _Samples:
    """The samples of a config with their defaults, each checked; all problems raised at the end."""

    def __init__(
        self, config: GenerationConfig, model: ModelConfig, checks: Mapping[str, ValueCheck]
    ) -> None:
        self._config = config
        self._model = model
        self._checks = checks
        self._known = list(
            dict.fromkeys([*DOCUMENTED_CONDITIONING, *checks, *model.default_keys.values()])
        )
        self._problems: dict[Problem, None] = {}
        self._longest = 0.0

    def __iter__(self) -> Iterator[tuple[Sample, Mapping[str, Any]]]:
        defaults = self._config.conditioning_defaults
        misspelt = self._check_keys(defaults, "conditioning_defaults")
        try:
            for sample in self._config.source.samples():
                values = {**defaults, **sample.values}
                self._check_values(
                    sample,
                    values,
                    misspelt | self._check_keys(sample.values, sample.where, sample.key_places),
                )
                if len(self._problems) >= MAX_PROBLEMS:
                    break
                if not self._problems:
                    yield sample, values
        except InputError as error:
            self._problems.update(dict.fromkeys(error.problems))
        if self._problems:
            more = len(self._problems) >= MAX_PROBLEMS
            raise InputError(list(self._problems), self._config.origin, more=more)

    def notes(self) -> tuple[str, ...]:
        seconds = self._model.samples / self._model.sample_rate
        if self._longest <= seconds:
            return ()
        return (
            f"seconds_total is up to {self._longest:g}, but this model makes {seconds:.4g} seconds "
            "at most: outputs end there",
        )

    def _problem(self, where: str, key: str, what: str) -> None:
        path = f"{where}.{key}" if where.endswith(("]", "defaults")) else f"{where}: {key}"
        self._problems[Problem(path, what)] = None

    def _check_keys(
        self, values: Mapping[str, Any], where: str, places: Mapping[str, str] | None = None
    ) -> set[str | None]:
        """Returns the keys that were probably meant by unknown ones."""
        unknown = [key for key in values if key not in self._known]
        for key in unknown:
            hint = did_you_mean(key, self._known)
            what = f"unknown conditioning key{hint}; known: {listed(self._known)}"
            if places is not None and key in places:
                self._problems[Problem(places[key], what)] = None
            else:
                self._problem(where, key, what)
        return {nearest(key, self._known) for key in unknown}

    def _check_values(
        self, sample: Sample, values: Mapping[str, Any], misspelt: set[str | None]
    ) -> None:
        for key, value in values.items():
            where = sample.where if key in sample.values else "conditioning_defaults"
            self._check_documented(where, key, value)
        for key, check in self._checks.items():
            source = key
            if values.get(key) is None and key in self._model.default_keys:
                source = self._model.default_keys[key]
            value = values.get(source)
            if value is None and source in misspelt:
                continue  # one problem, not two
            if value is None:
                self._problem(
                    sample.where,
                    source,
                    "this model needs a value; give one here or in conditioning_defaults",
                )
            else:
                self._check_value(check, sample, source, value)
            if source == "prompt" and (negative := values.get("negative_prompt")):
                # It takes the prompt's place in the unconditional half.
                self._check_value(check, sample, "negative_prompt", negative)

    def _check_value(self, check: ValueCheck, sample: Sample, key: str, value: Any) -> None:
        if self._is_known_bad(key, value):
            return
        try:
            check(value)
        except ValueError as error:
            where = sample.where if key in sample.values else "conditioning_defaults"
            self._problem(where, key, str(error))

    def _is_known_bad(self, key: str, value: Any) -> bool:
        """Whether a problem of the value has been found already."""
        return _documented_problem(key, value, self._config, self._model) is not None

    def _check_documented(self, where: str, key: str, value: Any) -> None:
        if what := _documented_problem(key, value, self._config, self._model):
            self._problem(where, key, what)
        elif key == "seconds_total" and value is not None:
            self._longest = max(self._longest, value)


def _documented_problem(
    key: str, value: Any, config: GenerationConfig, model: ModelConfig
) -> str | None:
    """What is wrong with a value whatever the model's conditioners are."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is no Unicode text"
    if key in {"prompt", "negative_prompt", "audio_prompt"} and not isinstance(value, str):
        return f"must be a string, not {type_name(value)}"
    if key in {"seconds_start", "seconds_total"}:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, not {type_name(value)}"
        if not abs(value) <= MAX_SECONDS:
            return f"must be a number of seconds up to {MAX_SECONDS}, not {shown(value)}"
        cut = key == "seconds_total" and config.trims
        if cut and round(value * model.sample_rate) < 1:
            return f"must be greater than 0 to cut the audio to it, not {shown(value)}"
    return None


def _value_checks(model: ModelConfig, plugins: PluginManager) -> dict[str, ValueCheck]:
    """For each conditioner id of a model, the check of its values."""
    checks: dict[str, ValueCheck] = {}
    for index, section in enumerate(model.conditioners):
        if section.id in model.pre_encoded_keys:
            checks[section.id] = check_embedding_file
            continue
        where = f"model.conditioning.configs[{index}]"
        if section.type not in plugins.conditioners:
            raise InputError(
                Problem(f"{where}.type", plugins.conditioners.unknown(section.type)), model.source
            )
        conditioner = plugins.conditioners.load(section.type)
        options = validate(
            conditioner.Options, section.config, f"{where}.config", source=model.source
        )
        checks[section.id] = _bound(conditioner.check, options)
    return checks


def _bound(check: Callable[[Any, Any], None], options: Any) -> ValueCheck:
    return lambda value: check(value, options)
