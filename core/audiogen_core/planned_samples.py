"""The samples of a config as a model takes them: with their defaults and settings, each checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from audiogen_core.config import DOCUMENTED_CONDITIONING, GenerationConfig
from audiogen_core.embedding_file import check_embedding_file
from audiogen_core.errors import InputError, Problem, did_you_mean, listed, nearest
from audiogen_core.identity import canonical
from audiogen_core.interfaces.input_source import Sample
from audiogen_core.models.config import ModelConfig
from audiogen_core.options import validate
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.recordings import FILES, INIT_AUDIO, MASK, RecordingChecks
from audiogen_core.registry import describe
from audiogen_core.sample_checks import SampleChecks, ValueCheck
from audiogen_core.settings import OVERRIDES, Settings, SettingsBook

_NONE: Set[str] = frozenset()


class PlannedSample(NamedTuple):
    """A checked sample: its conditioning values, how it is drawn, and what of that is its own."""

    where: str
    values: Mapping[str, Any]
    settings: Settings
    seed: int
    own: str


class PlannedSamples(SampleChecks):
    """The samples of a config with their defaults, each checked; all problems raised at the end."""

    def __init__(
        self,
        config: GenerationConfig,
        model: ModelConfig,
        checks: Mapping[str, ValueCheck],
        settings: SettingsBook,
        plugins: PluginManager,
    ) -> None:
        recordings, file_keys = RecordingChecks(model), file_keys_of(model, plugins)
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

    def __iter__(self) -> Iterator[list[PlannedSample]]:
        """Some samples at a time."""
        usable = self._check_section()
        misspelt = self._check_keys(
            self._config.conditioning_defaults, "conditioning_defaults", self._known
        )
        with self._collecting():
            for page in self._pages():
                planned: list[PlannedSample] = []
                for sample in page:
                    if (one := self._planned(sample, misspelt, usable=usable)) is not None:
                        planned.append(one)
                    if self._are_enough:
                        break
                if self._are_enough:
                    break
                if not self._problems:
                    yield planned

    def _planned(self, sample: Sample, misspelt: Set[str], *, usable: bool) -> PlannedSample | None:
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
        return PlannedSample(
            sample.where, values, *settings, canonical(differing) if differing else ""
        )

    def notes(self) -> tuple[str, ...]:
        """What the user should know about the samples, once all are read."""
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
        begins = min(start for start, _ in mask)
        total = values.get("seconds_total")
        if self._cut_rate is not None and total is not None:
            self._cuts_masks |= begins >= total
        latent = self._model.ratio / self._model.sample_rate
        if begins <= (latents - 1) * latent:
            return
        self._problem(
            where if MASK in given else "conditioning_defaults",
            MASK,
            f"begins after what is sampled: {latents * latent:.4g} seconds with "
            'generation.sample_size "auto" and this seconds_total',
        )


def file_keys_of(model: ModelConfig, plugins: PluginManager) -> set[str]:
    """The keys of values that are paths of files."""
    ids = {*FILES, *model.pre_encoded_keys}
    for section in model.conditioners:
        if section.type in plugins.conditioners and plugins.conditioners.load(section.type).FILES:
            ids.add(section.id)
    return ids | {model.default_keys[key] for key in ids if key in model.default_keys}


def value_checks(model: ModelConfig, plugins: PluginManager) -> dict[str, ValueCheck]:
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
