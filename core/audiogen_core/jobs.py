"""Plans a run: one frozen job for each output, checked against the model before it is loaded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from audiogen_core.config import DOCUMENTED_CONDITIONING, GenerationConfig
from audiogen_core.embedding_file import check_embedding_file
from audiogen_core.errors import MAX_PROBLEMS, InputError, Problem, did_you_mean, listed, nearest
from audiogen_core.identity import Identities, canonical
from audiogen_core.interfaces.input_source import Sample
from audiogen_core.interfaces.naming import NamedJob
from audiogen_core.job import Job as Job
from audiogen_core.joblist import PAGE, JobList
from audiogen_core.models.config import ModelConfig
from audiogen_core.models.limits import MAX_SAMPLE_RATE
from audiogen_core.names import UniqueNames, shard_dir
from audiogen_core.options import shown, type_name, validate
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.recordings import FILES, INIT_AUDIO, MASK, RecordingChecks, is_encoded, kept
from audiogen_core.registry import describe
from audiogen_core.samples import samples_of
from audiogen_core.seeds import DRAW, Seeds
from audiogen_core.settings import MAX_MET, OVERRIDES, Settings, SettingsBook

ValueCheck = Callable[[Any], None]
"""Raises a ValueError for a conditioning value that cannot be used."""

MAX_OUTPUTS = 2_000_000
"""Of one run: what is planned is kept in memory, some 150 bytes for each."""

_TEXTS = frozenset({"prompt", "negative_prompt", "audio_prompt"})

_NONE: Set[str] = frozenset()

MAX_SECONDS = 10**9
"""More than any audio lasts, and little enough to calculate with."""


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
    checks = _value_checks(model, plugins)
    samples = _Samples(config, model, checks, SettingsBook(config, model, plugins), plugins)
    names = _Names(config, plugins)
    seeds = seeds or Seeds(secrets.token_hex())
    identities = Identities(identity or {}, form_of(config), _file_keys(model, plugins))
    jobs = JobList()
    draws = encodes = False
    for page in samples:
        encodes |= any(is_encoded(one.values) for one in page)
        draws |= any(one.seed == DRAW for one in page)
        for job in _jobs_of(page, len(jobs), config, names, seeds, identities):
            jobs.append(job)
    return Plan(jobs, samples.notes(), draws, encodes)


def check_samples(config: GenerationConfig, plugins: PluginManager) -> None:
    """Checks the values of samples and defaults for what every model refuses.

    Args:
        config: The config.
        plugins: Where its input source comes from.

    Raises:
        InputError: A value cannot be used, or the samples cannot be read; every problem.
    """
    recordings, file_keys = RecordingChecks(None), frozenset(FILES)
    _SharedChecks(config, plugins, recordings, MAX_SAMPLE_RATE, file_keys).check()


def _jobs_of(
    samples: Sequence[_Planned],
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
    identities = Identities(identity, form_of(config), _file_keys(model, plugins))
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


def _file_keys(model: ModelConfig, plugins: PluginManager) -> set[str]:
    """The keys of values that are paths of files."""
    ids = {*FILES, *model.pre_encoded_keys}
    for section in model.conditioners:
        if section.type in plugins.conditioners and plugins.conditioners.load(section.type).FILES:
            ids.add(section.id)
    return ids | {model.default_keys[key] for key in ids if key in model.default_keys}


class _Planned(NamedTuple):
    """A checked sample: its conditioning values, how it is drawn, and what of that is its own."""

    where: str
    values: Mapping[str, Any]
    settings: Settings
    seed: int
    own: str


class _SharedChecks:
    """What every model asks of samples: all problems are collected.

    Args:
        config: The config.
        plugins: Where its input source comes from.
        recordings: What samples may hold of recordings.
        sample_rate: Of the audio.
        file_keys: The keys of values that are paths of files.
    """

    def __init__(
        self,
        config: GenerationConfig,
        plugins: PluginManager,
        recordings: RecordingChecks,
        sample_rate: int,
        file_keys: Set[str],
    ) -> None:
        self._config = config
        self._plugins = plugins
        self._recordings = recordings
        self._cut_rate = sample_rate if config.trims else None
        self._problems: dict[Problem, None] = {}
        # What holds for all samples is checked once, and files are not opened for each of them.
        self._good_defaults: set[tuple[ValueCheck, str]] = set()
        self._file_keys = file_keys
        self._good_files: dict[tuple[ValueCheck, str], None] = {}  # in the order of their coming
        found = {
            key: _documented_problem(key, value, self._cut_rate)
            for key, value in config.conditioning_defaults.items()
        }
        self._bad_defaults = {key: what for key, what in found.items() if what is not None}

    def check(self) -> None:
        """Checks every sample.

        Raises:
            InputError: One holds a value that cannot be used, or they cannot be read.
        """
        with self._collecting():
            for sample in chain.from_iterable(self._pages()):
                values = {**self._config.conditioning_defaults, **sample.values}
                self._check_documented(sample.where, sample.values, values)
                if self._are_enough:
                    break

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        """Raises, in the end, all that was found."""
        try:
            yield
        except InputError as error:
            self._problems.update(dict.fromkeys(error.problems))
        if self._problems:
            raise InputError(list(self._problems), self._config.origin, more=self._are_enough)

    @property
    def _are_enough(self) -> bool:
        return len(self._problems) >= MAX_PROBLEMS

    def _pages(self) -> Iterator[list[Sample]]:
        """The samples as they come, up to as many as a run may have: a grid asks for billions."""
        batch_size = self._config.generation.batch_size
        most, together = MAX_OUTPUTS // batch_size, max(PAGE // batch_size, 1)
        page: list[Sample] = []
        failed: InputError | None = None
        try:
            for number, sample in enumerate(samples_of(self._config, self._plugins)):
                if number == most:
                    what = f"asks for more than {MAX_OUTPUTS:,} outputs in one run"
                    raise InputError(Problem("input", what))
                page.append(sample)
                if len(page) == together:
                    yield page
                    page = []
        except InputError as error:
            failed = error  # what came before it is checked first
        yield page
        if failed is not None:
            raise failed

    def _check_documented(
        self, where: str, given: Mapping[str, Any], values: Mapping[str, Any]
    ) -> set[str]:
        """Checks the values of documented keys, and returns those that cannot be used."""
        refused = {key for key in given if self._refuses(where, key, given[key])}
        for key, what in self._bad_defaults.items():
            if key not in given:
                self._problem("conditioning_defaults", key, what)
                refused.add(key)
        for key, check in self._recordings.of(values):
            self._check_value(check, where, given, key, values[key])
        return refused

    def _check_value(
        self, check: ValueCheck, where: str, given: Mapping[str, Any], key: str, value: Any
    ) -> None:
        is_default = key not in given
        if is_default and (check, key) in self._good_defaults:
            return
        file = (check, value) if key in self._file_keys and isinstance(value, str) else None
        if file in self._good_files:
            return
        try:
            check(value)
        except ValueError as error:
            self._problem("conditioning_defaults" if is_default else where, key, str(error))
        else:
            if is_default:
                self._good_defaults.add((check, key))
            if file is not None:
                if len(self._good_files) >= MAX_MET:
                    del self._good_files[next(iter(self._good_files))]
                self._good_files[file] = None

    def _refuses(self, where: str, key: str, value: Any) -> bool:
        """Whether a value cannot be used whatever the model's conditioners are."""
        if what := _documented_problem(key, value, self._cut_rate):
            self._problem(where, key, what)
            return True
        return False

    def _problem(self, where: str, key: str, what: str) -> None:
        path = f"{where}.{key}" if where.endswith(("]", "defaults")) else f"{where}: {key}"
        self._problems[Problem(path, what)] = None


class _Samples(_SharedChecks):
    """The samples of a config with their defaults, each checked; all problems raised at the end."""

    def __init__(
        self,
        config: GenerationConfig,
        model: ModelConfig,
        checks: Mapping[str, ValueCheck],
        settings: SettingsBook,
        plugins: PluginManager,
    ) -> None:
        recordings, file_keys = RecordingChecks(model), _file_keys(model, plugins)
        super().__init__(config, plugins, recordings, model.sample_rate, file_keys)
        self._model = model
        self._checks = checks
        self._settings = settings
        self._known = list(
            dict.fromkeys([*DOCUMENTED_CONDITIONING, *checks, *model.default_keys.values()])
        )
        # What the model has a conditioner for is conditioning, whatever it is called.
        own = [key for key in OVERRIDES if key not in self._known]
        self._own = frozenset(own)
        self._of_samples = [*self._known, *own]
        used = {*checks, *model.default_keys.values()}
        missing = "this model has no conditioner for it"
        self._useless = dict.fromkeys({"prompt", "audio_prompt"} - used, missing)
        if not model.takes_negative_prompts:
            inattentive = "this model does not attend to the prompt"
            self._useless["negative_prompt"] = inattentive if "prompt" in used else missing
        self._ignored: set[str] = set()
        self._longest = 0.0
        self._varies = False
        self._unguided = False
        self._cuts_masks = False

    def __iter__(self) -> Iterator[list[_Planned]]:
        """Some samples at a time."""
        usable = self._check_section()
        misspelt = self._check_keys(
            self._config.conditioning_defaults, "conditioning_defaults", self._known
        )
        with self._collecting():
            for page in self._pages():
                planned: list[_Planned] = []
                for sample in page:
                    if (one := self._planned(sample, misspelt, usable=usable)) is not None:
                        planned.append(one)
                    if self._are_enough:
                        break
                if self._are_enough:
                    break
                if not self._problems:
                    yield planned

    def _planned(self, sample: Sample, misspelt: Set[str], *, usable: bool) -> _Planned | None:
        """A sample, checked; None where this or one before it has a problem."""
        own: dict[str, Any] = {}
        given = sample.values
        if not self._own.isdisjoint(given):
            own = {key: one for key, one in sample.values.items() if key in self._own}
            given = {key: one for key, one in sample.values.items() if key not in own}
        values = {**self._config.conditioning_defaults, **given}
        unknown = self._check_keys(given, sample.where, self._of_samples, sample.key_places)
        self._check_values(sample.where, given, values, misspelt | unknown)
        self._ignored.update(key for key in self._useless if given.get(key) not in (None, ""))
        settings = self._settings_of(sample.where, own, values) if usable else None
        if settings is not None and not self._problems:
            self._check_mask(sample.where, given, values, settings[0].latents)
        if self._problems or settings is None:
            return None
        negative = bool(values.get("negative_prompt"))
        self._unguided |= negative and settings[0].generation.cfg_scale == 1
        # Samples that differ in these alone are no equals, whose seeds would depend on their order.
        differing = {key: one for key, one in own.items() if key != "seed" and one is not None}
        return _Planned(sample.where, values, *settings, canonical(differing) if differing else "")

    def notes(self) -> tuple[str, ...]:
        notes = [f"{key} does nothing: {self._useless[key]}" for key in sorted(self._ignored)]
        section = self._config.generation
        if not self._model.is_guided and "cfg_scale" in section.model_fields_set:
            notes.append("cfg_scale does nothing: this model has no conditioning to guide by")
        if self._unguided and "negative_prompt" not in self._useless:
            notes.append("negative_prompt does nothing where cfg_scale is 1")
        seconds = self._model.samples / self._model.sample_rate
        if self._longest > seconds:
            notes.append(
                f"seconds_total is up to {self._longest:g}, but this model makes {seconds:.4g} "
                "seconds at most: outputs end there"
            )
        if self._cuts_masks:
            notes.append("a mask begins at seconds_total or later, where the audio is cut off")
        if self._config.generation.init_noise_level is not None and not self._varies:
            notes.append("generation.init_noise_level does nothing: no sample has init_audio")
        return tuple(notes)

    def _check_section(self) -> bool:
        """Whether the section can be used; where it cannot, samples need not hear it again."""
        try:
            self._settings.of({}, None)
            if self._config.generation.init_noise_level is not None:
                self._settings.of({}, None, varies=True)
        except InputError as error:
            self._problems.update(dict.fromkeys(error.problems))
            return False
        if self._config.generation.scale_phi > 0 and self._model.file.model.io_channels == 1:
            what = "must be 0: it compares the channels of the latents, of which this model has one"
            self._problems[Problem("generation.scale_phi", what)] = None
            return False
        return True

    def _settings_of(
        self, where: str, own: Mapping[str, Any], values: Mapping[str, Any]
    ) -> tuple[Settings, int] | None:
        # Of a sample that has been refused, the length means nothing.
        seconds = None if self._problems else values.get("seconds_total")
        varies = values.get(INIT_AUDIO) is not None
        self._varies |= varies
        try:
            return self._settings.of(own, seconds, varies=varies)
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
    ) -> Set[str]:
        """Returns the keys that were probably meant by unknown ones."""
        unknown = [key for key in values if key not in known]
        if not unknown:
            return _NONE
        for key in unknown:
            what = f"unknown conditioning key{did_you_mean(key, known)}; known: {listed(known)}"
            if places is not None and key in places:
                self._problems[Problem(places[key], what)] = None
            else:
                self._problem(where, key, what)
        return {near for key in unknown if (near := nearest(key, known)) is not None}

    def _check_values(
        self, where: str, given: Mapping[str, Any], values: Mapping[str, Any], misspelt: Set[str]
    ) -> None:
        refused = self._check_documented(where, given, values)
        if "seconds_total" not in refused and (seconds := values.get("seconds_total")) is not None:
            self._longest = max(self._longest, seconds)
        for key, check in self._checks.items():
            source = key
            if values.get(key) is None and key in self._model.default_keys:
                source = self._model.default_keys[key]
            value = values.get(source)
            if value is None and source in misspelt:
                continue  # one problem, not two
            if value is None:
                self._problem(
                    where,
                    source,
                    "this model needs a value; give one here or in conditioning_defaults",
                )
            elif source not in refused:
                self._check_value(check, where, given, source, value)
            negative = values.get("negative_prompt") if source == "prompt" else None
            if negative and "negative_prompt" not in refused:
                # It takes the prompt's place in the unconditional half.
                self._check_value(check, where, given, "negative_prompt", negative)

    def _check_mask(
        self, where: str, given: Mapping[str, Any], values: Mapping[str, Any], latents: int
    ) -> None:
        """Refuses a mask that begins after what is sampled of a sample."""
        if (mask := values.get(MASK)) is None:
            return
        total = values.get("seconds_total")
        if self._cut_rate is not None and total is not None:
            self._cuts_masks |= min(start for start, _ in mask) >= total
        if latents == self._model.latents or not all(kept(mask, self._model, latents)):
            return
        seconds = latents * self._model.ratio / self._model.sample_rate
        self._problem(
            where if MASK in given else "conditioning_defaults",
            MASK,
            f"begins after what is sampled: {seconds:.4g} seconds with generation.sample_size "
            '"auto" and this seconds_total',
        )


def _documented_problem(key: str, value: Any, cut_rate: int | None) -> str | None:
    """What is wrong with a value whatever the model's conditioners are.

    Args:
        key: Its key.
        value: The value.
        cut_rate: The sample rate of audio that is cut to ``seconds_total``; None where it is not.
    """
    if value is None:
        return None
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is no Unicode text"
    if key in _TEXTS and not isinstance(value, str):
        return f"must be a string, not {type_name(value)}"
    if key in {"seconds_start", "seconds_total"}:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, not {type_name(value)}"
        if not abs(value) <= MAX_SECONDS:
            return f"must be a number of seconds up to {MAX_SECONDS}, not {shown(value)}"
        if key == "seconds_total" and cut_rate is not None and round(value * cut_rate) < 1:
            least = f"at least 1/{cut_rate}, one sample," if value > 0 else "greater than 0"
            return f"must be {least} to cut the audio to it, not {shown(value)}"
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
        with plugins.conditioners.calling(section.type, f"{where}.config"):
            options = validate(
                conditioner.Options, section.options, f"{where}.config", source=model.source
            )
        whose = f"conditioner '{section.type}' of {plugins.conditioners.origin(section.type)}"
        checks[section.id] = _bound(conditioner.check, options, whose)
    return checks


def _bound(check: Callable[[Any, Any], None], options: Any, whose: str) -> ValueCheck:
    def checked(value: Any) -> None:
        try:
            check(value, options)
        except ValueError:
            raise
        except (Exception, SystemExit) as error:
            raise ValueError(f"{whose} failed to check it: {describe(error)}") from error

    return checked
