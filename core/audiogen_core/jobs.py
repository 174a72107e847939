"""Plans a run: one frozen job for each output, checked against the model before it is loaded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiogen_core.config import DOCUMENTED_CONDITIONING, GenerationConfig
from audiogen_core.embedding_file import check_embedding_file
from audiogen_core.errors import MAX_PROBLEMS, InputError, Problem, did_you_mean, listed, nearest
from audiogen_core.identity import Identities
from audiogen_core.interfaces.input_source import Sample
from audiogen_core.interfaces.naming import NamedJob
from audiogen_core.models.config import ModelConfig
from audiogen_core.names import UniqueNames
from audiogen_core.options import shown, type_name, validate
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.seeds import Seeds
from audiogen_core.settings import OVERRIDES, Settings, SettingsBook

ValueCheck = Callable[[Any], None]
"""Raises a ValueError for a conditioning value that cannot be used."""

MAX_OUTPUTS = 100_000
"""Of one run, which makes them all in one go: they would take months."""

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
        settings: How it is sampled.
        identity: What it is made from, in one word.
    """

    index: int
    copy: int
    where: str
    values: Mapping[str, Any]
    seed: int
    stem: str
    settings: Settings
    identity: str

    @property
    def negative_prompt(self) -> str | None:
        """The negative prompt; None for an empty one."""
        return self.values.get("negative_prompt") or None


@dataclass(frozen=True)
class Plan:
    """All outputs of a run.

    Attributes:
        jobs: In the order of the samples.
        notes: What the user should know about them.
    """

    jobs: tuple[Job, ...]
    notes: tuple[str, ...]


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
    checks = _value_checks(model, plugins)
    samples = _Samples(config, model, checks, SettingsBook(config, model, plugins))
    names = UniqueNames()
    seeds = seeds or Seeds(secrets.token_hex())
    identities = Identities(identity or {}, form_of(config), _file_keys(model, plugins))
    jobs: list[Job] = []
    for planned in samples:
        for copy in range(config.generation.batch_size):
            values = planned.values
            seed = seeds.of(planned.seed, copy, identities.content(values))
            generation = planned.settings.described(seed)
            stem = config.naming.stem(NamedJob(len(jobs), copy, values, seed, generation))
            jobs.append(
                Job(
                    len(jobs),
                    copy,
                    planned.where,
                    values,
                    seed,
                    names.claim(stem),
                    planned.settings,
                    identities.of(values, planned.settings.complete(seed)),
                )
            )
    return Plan(tuple(jobs), samples.notes())


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
    identities = Identities(identity, form_of(config), _file_keys(model, plugins))
    return identities.of(job.values, job.settings.complete(job.seed))


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


def _file_keys(model: ModelConfig, plugins: PluginManager) -> set[str]:
    """The keys of values that are paths of files."""
    ids = set(model.pre_encoded_keys)
    for section in model.conditioners:
        if section.type in plugins.conditioners and plugins.conditioners.load(section.type).FILES:
            ids.add(section.id)
    return ids | {model.default_keys[key] for key in ids if key in model.default_keys}


@dataclass(frozen=True)
class _Planned:
    """A checked sample: its conditioning values, and how it is drawn."""

    where: str
    values: Mapping[str, Any]
    settings: Settings
    seed: int


class _Samples:
    """The samples of a config with their defaults, each checked; all problems raised at the end."""

    def __init__(
        self,
        config: GenerationConfig,
        model: ModelConfig,
        checks: Mapping[str, ValueCheck],
        settings: SettingsBook,
    ) -> None:
        self._config = config
        self._model = model
        self._checks = checks
        self._settings = settings
        self._known = list(
            dict.fromkeys([*DOCUMENTED_CONDITIONING, *checks, *model.default_keys.values()])
        )
        # What the model has a conditioner for is conditioning, whatever it is called.
        self._own = [key for key in OVERRIDES if key not in self._known]
        self._problems: dict[Problem, None] = {}
        self._longest = 0.0

    def __iter__(self) -> Iterator[_Planned]:
        defaults = self._config.conditioning_defaults
        usable = self._check_section()
        misspelt = self._check_keys(defaults, "conditioning_defaults", self._known)
        try:
            for sample in self._few_enough():
                own = {key: one for key, one in sample.values.items() if key in self._own}
                given = {key: one for key, one in sample.values.items() if key not in own}
                values = {**defaults, **given}
                known = [*self._known, *self._own]
                unknown = self._check_keys(given, sample.where, known, sample.key_places)
                self._check_values(Sample(given, sample.where), values, misspelt | unknown)
                settings = self._settings_of(sample.where, own, values) if usable else None
                if len(self._problems) >= MAX_PROBLEMS:
                    break
                if not self._problems and settings is not None:
                    yield _Planned(sample.where, values, *settings)
        except InputError as error:
            self._problems.update(dict.fromkeys(error.problems))
        if self._problems:
            more = len(self._problems) >= MAX_PROBLEMS
            raise InputError(list(self._problems), self._config.origin, more=more)

    def _few_enough(self) -> Iterator[Sample]:
        """The samples, counted before any is checked: a grid asks for billions in a few bytes."""
        most = MAX_OUTPUTS // self._config.generation.batch_size
        samples: list[Sample] = []
        failed: InputError | None = None
        try:
            for sample in self._config.source.samples():
                samples.append(sample)
                if len(samples) > most:
                    samples.clear()
                    what = f"asks for more than {MAX_OUTPUTS:,} outputs in one run"
                    raise InputError(Problem("input", what))
        except InputError as error:
            failed = error
        yield from samples
        if failed is not None:
            raise failed

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

    def _check_section(self) -> bool:
        """Whether the section can be used; where it cannot, samples need not hear it again."""
        try:
            self._settings.of({}, None)
        except InputError as error:
            self._problems.update(dict.fromkeys(error.problems))
            return False
        return True

    def _settings_of(
        self, where: str, own: Mapping[str, Any], values: Mapping[str, Any]
    ) -> tuple[Settings, int] | None:
        # Of a sample that has been refused, the length means nothing.
        seconds = None if self._problems else values.get("seconds_total")
        try:
            return self._settings.of(own, seconds)
        except InputError as error:
            for problem in error.problems:
                self._problem(where, problem.where, problem.what)
            return None

    def _check_keys(
        self,
        values: Mapping[str, Any],
        where: str,
        known: Sequence[str],
        places: Mapping[str, str] | None = None,
    ) -> set[str | None]:
        """Returns the keys that were probably meant by unknown ones."""
        unknown = [key for key in values if key not in known]
        for key in unknown:
            what = f"unknown conditioning key{did_you_mean(key, known)}; known: {listed(known)}"
            if places is not None and key in places:
                self._problems[Problem(places[key], what)] = None
            else:
                self._problem(where, key, what)
        return {nearest(key, known) for key in unknown}

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
