"""How each sample is drawn: ``generation``, with a sample's own keys in place of the section's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from audiogen_core.config import (
    DEFAULT_SAMPLERS,
    MAX_SEED,
    GenerationConfig,
    GenerationSection,
    check_sampler_options,
    generation_problems,
)
from audiogen_core.errors import InputError, Problem, listed
from audiogen_core.identity import canonical
from audiogen_core.interfaces.sampler import Sampler, SigmaSampler
from audiogen_core.models.config import ModelConfig
from audiogen_core.options import validate
from audiogen_core.plugin_manager import PluginManager

MARGIN = 0.5
"""Seconds that are sampled beyond what is asked for, so that its end has something after it."""

LENGTHS = 32
"""What lengths are rounded up to a multiple of, so that samples of like lengths share a batch."""

OVERRIDES = ("seed", "cfg_scale", "steps", "sampler_type", "init_noise_level")
"""The keys of ``generation`` that a sample may hold beside its conditioning."""


DEFAULT_SIGMA, DEFAULT_TIME = 1.0, 0.7
"""The ``init_noise_level`` of samplers over sigma, and of others, where 1 is nothing but noise."""

MAX_MET = 10_000
"""How many kinds of samples are remembered: of more, each is checked again."""


@dataclass(frozen=True, eq=False)
class Settings:
    """Everything that decides an output but its conditioning and its seed.

    Outputs that may be sampled together hold the same object.

    Attributes:
        generation: The values in force; their seed means nothing.
        sampler: The sampler with its options.
        latents: The length that is sampled.
        varies: Whether recordings are varied, from ``init_noise_level`` on, instead of noise.
    """

    generation: GenerationSection
    sampler: Sampler
    latents: int
    varies: bool = False

    @property
    def highest_level(self) -> float:
        """The noise level that sampling starts at."""
        level = self.generation.init_noise_level if self.varies else None
        return self.generation.sigma_max if level is None else level

    def complete(self, seed: int) -> dict[str, Any]:
        """The values of ``generation`` that make an output with this seed, the sampler's too."""
        return {**self._values, "seed": seed, **self._options}

    def text(self, seed: int) -> str:
        """The JSON of them, of which identities are made."""
        before, number, after = self._text
        return f"{before}{seed}{after}" if number else before

    @cached_property
    def _values(self) -> dict[str, Any]:
        values = self.generation.model_dump()
        for key in ("sample_size", "init_noise_level"):
            if values[key] is None:
                del values[key]
        return {**values, "sampler_type": self.sampler.NAME}

    @cached_property
    def _options(self) -> dict[str, Any]:
        return self.sampler.options.model_dump(mode="json")

    @cached_property
    def _text(self) -> tuple[str, str, str]:
        """What stands before the seed, a number that no seed has, and what stands behind it."""
        return canonical(self.complete(_NO_SEED)).partition(str(_NO_SEED))


_NO_SEED = -(2**100)


def latents_for(seconds: float, model: ModelConfig) -> int:
    """How many latents ``"sample_size": "auto"`` samples for a length in seconds.

    It depends on nothing but the sample's own length: so the sample depends on no other.
    """
    needed = math.ceil((max(seconds, 0) + MARGIN) * model.sample_rate / model.ratio)
    return min(model.latents, -(-needed // LENGTHS) * LENGTHS)


def _is_seed(seed: object, batch_size: int) -> bool:
    """Whether the outputs of a sample may have this seed and those after it."""
    return type(seed) is int and -1 <= seed <= MAX_SEED - batch_size + 1


class SettingsBook:
    """The settings of a run's samples, each made once."""

    def __init__(
        self, config: GenerationConfig, model: ModelConfig, plugins: PluginManager
    ) -> None:
        self._config = config
        self._model = model
        self._plugins = plugins
        self._known: dict[tuple[str, int, bool], Settings] = {}
        self._met: dict[tuple[object, ...], Settings] = {}

    def of(
        self, own: Mapping[str, Any], seconds: float | None, *, varies: bool = False
    ) -> tuple[Settings, int]:
        """The settings of a sample, and its seed.

        Args:
            own: Those of `OVERRIDES` that the sample holds; null is as good as left out.
            seconds: How long it is to be; None for as long as the model makes.
            varies: Whether it varies a recording.

        Raises:
            InputError: Something is wrong, at places below the sample, or below ``generation`` for
                one that holds nothing of its own.
        """
        if own:
            own = {key: value for key, value in own.items() if value is not None}
        section = self._config.generation
        latents = self._model.latents
        if section.sample_size == "auto" and seconds is not None:
            latents = latents_for(seconds, self._model)
        seed = own.get("seed", section.seed)
        met: tuple[object, ...] = (latents, varies)
        if own:
            met += tuple((key, type(own[key]), str(own[key])) for key in own if key != "seed")
        if (known := self._met.get(met)) is not None and _is_seed(seed, section.batch_size):
            return known, seed
        if own:
            section = validate(GenerationSection, {**section.model_dump(), **own})
            if problems := list(generation_problems(section)):
                raise InputError(problems)
        if not varies and "init_noise_level" in own:
            what = "goes with init_audio, which this sample has not"
            raise InputError(Problem("init_noise_level", what))
        update: dict[str, Any] = {"seed": -1} if varies else {"seed": -1, "init_noise_level": None}
        # As JSON of pydantic's, 7 and 7.0 would be one.
        key = canonical(section.model_copy(update=update).model_dump()), latents, varies
        if key not in self._known:
            self._known[key] = self._settings(section, own, latents, varies=varies)
        if len(self._met) < MAX_MET:
            self._met[met] = self._known[key]
        return self._known[key], section.seed

    def _settings(
        self, section: GenerationSection, own: Mapping[str, Any], latents: int, *, varies: bool
    ) -> Settings:
        sampler = self._sampler(section, own)
        level = section.init_noise_level if varies else None
        if varies:
            is_sigma = isinstance(sampler, SigmaSampler)
            if level is None:
                level = DEFAULT_SIGMA if is_sigma else DEFAULT_TIME
            if is_sigma and level <= section.sigma_min:
                what = f"must be greater than sigma_min ({section.sigma_min})"
            elif not is_sigma and level > 1:
                what = f"must be at most 1, which is nothing but noise for '{sampler.NAME}'"
            else:
                what = None
            if what is not None:
                where = "" if "init_noise_level" in own else "generation."
                raise InputError(Problem(f"{where}init_noise_level", f"{what}, not {level}"))
        section = section.model_copy(update={"init_noise_level": level})
        return Settings(section, sampler, latents, varies)

    def _sampler(self, section: GenerationSection, own: Mapping[str, Any]) -> Sampler:
        name = section.sampler_type or DEFAULT_SAMPLERS[self._model.objective]
        options = self._config.sampler_options
        try:
            plugin = self._plugin(name, section)
            if "sampler_type" in own:
                # The section's options are another sampler's: those that both have are meant.
                fields = plugin.Options.model_fields
                options = {key: value for key, value in options.items() if key in fields}
            checked = check_sampler_options(self._plugins, name, options)
            with self._plugins.samplers.calling(name, "generation.sampler_type"):
                return plugin(checked)
        except InputError as error:
            if "sampler_type" not in own:
                raise
            problems = [
                one if one.where == "generation.sampler_type"
                # It is well beside the section's own sampler, so this one is to be told.
                else Problem("generation.sampler_type", f"'{name}' cannot be used here: {one}")
                for one in error.problems
            ]  # fmt: skip
            raise InputError(
                [Problem(one.where.removeprefix("generation."), one.what) for one in problems]
            ) from None

    def _plugin(self, name: str, section: GenerationSection) -> type[Sampler]:
        samplers, objective = self._plugins.samplers, self._model.objective
        plugin = samplers.named(name, "generation.sampler_type")
        if objective not in plugin.OBJECTIVES:
            fitting = [one.NAME for one in samplers.classes() if objective in one.OBJECTIVES]
            raise InputError(
                Problem(
                    "generation.sampler_type",
                    f"'{name}' cannot sample this model, whose objective is '{objective}'; "
                    f"allowed: {listed(fitting)}",
                )
            )
        low, high = section.sigma_min, section.sigma_max
        if issubclass(plugin, SigmaSampler) and low >= high:
            raise InputError(
                Problem("generation.sigma_min", f"must be less than sigma_max ({high}), not {low}")
            )
        return plugin
