"""The generation config: the four sections as strict models, read and checked in one go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
)

from audiogen_core.errors import InputError, Problem, did_you_mean, listed
from audiogen_core.interfaces.encoder import Encoder
from audiogen_core.interfaces.input_source import InputSource
from audiogen_core.interfaces.naming import NamingStrategy
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interfaces.post_processor import PostProcessor
from audiogen_core.options import (
    PLACEHOLDER,
    PluginOptions,
    at_home,
    json_path,
    type_name,
    validate,
)
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import Registry
from audiogen_core.storage.address import address_problem, is_address

MAX_SEED = 2**63 - 1
MAX_CHAIN = 100
"""Post-processors or observers of one run."""

MAX_SHARD_DIRS = 65_536
"""A folder with more folders is no better than one with many files."""

T = TypeVar("T")
OptionsT = TypeVar("OptionsT", bound=PluginOptions)


def _as_written(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Keeps 7 apart from 7.0: names and metadata show numbers as the config wrote them."""
    checked = handler(value)
    return value if isinstance(value, int) else checked


Number = Annotated[float, WrapValidator(_as_written)]


def _string_or_object(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError(f"must be a string or an object with 'name', not {type_name(value)}")
    return value


PluginName = Annotated[
    str | dict[str, Any],
    PlainValidator(_string_or_object),
    WithJsonSchema({PLACEHOLDER: "plugin"}),
]
"""A plugin's name, or an object of its ``name`` and its options."""


class GenerationSection(PluginOptions):
    """How to sample. The sampler's own options stand beside these keys."""

    steps: int = Field(100, ge=1, le=10_000, description="Number of diffusion steps.")
    cfg_scale: Number = Field(7.0, description="Guidance scale; 1 is no guidance.")
    batch_size: int = Field(1, ge=1, le=4096, description="Outputs a prompt, sampled at once.")
    sampler_type: str | None = Field(None, description="Sampler; the objective's own by default.")
    sigma_min: Number = Field(0.01, gt=0, description="Lowest noise level of the schedule.")
    sigma_max: Number = Field(100, gt=0, description="Highest noise level of the schedule.")
    rho: Number = Field(1.0, gt=0, description="Exponent of the noise schedule.")
    seed: int = Field(-1, ge=-1, le=MAX_SEED, description="-1 draws a fresh seed an output.")
    cfg_interval: list[Annotated[Number, Field(ge=0, le=1)]] = Field(
        [0, 1],
        min_length=2,
        max_length=2,
        description="Where guidance is applied: 0 is no noise, 1 nothing but noise.",
    )
    scale_phi: Number = Field(0.0, ge=0, le=1, description="Strength of guidance rescaling.")
    init_noise_level: Number | None = Field(
        None,
        gt=0,
        description="Noise level that init_audio is varied from: the lower, the closer to it.",
    )
    sample_size: Literal["auto"] | None = Field(
        None, description='"auto" samples no more than seconds_total needs; else the full length.'
    )


class OutputSection(PluginOptions):
    """Where and how to write."""

    output_dir: str = Field("generated/outputs", min_length=1, description="Folder to write to.")
    file_format: PluginName = Field("wav", description="Encoder.")
    file_naming: PluginName = Field("verbose", description="Naming strategy.")
    save_metadata: bool = Field(True, description="Whether to write a JSON file beside the audio.")
    cut_to_seconds_total: bool = Field(True, description="Whether to trim to seconds_total.")
    post_processing: list[PluginName] | None = Field(
        None,
        max_length=MAX_CHAIN,
        description="Post-processors, in their order; peak, then trim by default.",
    )

    observers: list[PluginName] = Field(
        [], max_length=MAX_CHAIN, description="Observers, told how the run goes."
    )
    report: bool = Field(False, description="Whether to make report.html, a page to listen with.")
    manifest: Literal["jsonl", "parquet"] | None = Field(
        None, description="A list of all outputs with their metadata, in this format."
    )
    shard_dirs: int | None = Field(
        None, ge=2, le=MAX_SHARD_DIRS, description="How many subfolders outputs are spread over."
    )

    @field_validator("output_dir")
    @classmethod
    def _home_known(cls, value: str) -> str:
        if (what := address_problem(value)) is not None:
            raise ValueError(what)  # without the address, for it may hold a password
        if is_address(value):
            return value
        try:
            Path(value).expanduser()
        except RuntimeError:
            raise ValueError(f"'{value}' names no user of this machine") from None
        return value


class ConditioningValues(BaseModel):
    """What to generate. A model's own conditioners add keys; null is no value.

    The defaults hold where the whole section is left out: a section that is there says all.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    prompt: str | None = Field("", description="What to hear.")
    audio_prompt: str | None = Field(None, description="Path of an .npy embedding of audio.")
    seconds_start: Number | None = Field(0, description="Where in a longer piece to begin.")
    seconds_total: Number | None = Field(30, description="Length in seconds.")
    negative_prompt: str | None = Field(None, description="What not to hear.")
    init_audio: str | None = Field(None, description="Path of a recording to vary.")
    inpaint_audio: str | None = Field(None, description="Path of a recording to fill in.")
    mask: list[list[Number | None]] | None = Field(
        None, description="Ranges of inpaint_audio that are made anew, [start, end] in seconds."
    )


PATHS = ("audio_prompt", "init_audio", "inpaint_audio")
"""The keys of these that are paths of files."""

DOCUMENTED_CONDITIONING = tuple(ConditioningValues.model_fields)
"""Conditioning keys that a config may hold whatever the model's conditioners are."""

DEFAULT_CONDITIONING: Mapping[str, Any] = ConditioningValues().model_dump(
    exclude={"init_audio", "inpaint_audio", "mask"}
)
"""What holds when a config has no ``conditioning_defaults`` at all."""


class InputSection(BaseModel):
    """Where samples come from. The input source's own options stand beside its type."""

    type: str = Field(description="Input source.")


SECTIONS: Mapping[str, type[BaseModel]] = {
    "generation": GenerationSection,
    "conditioning_defaults": ConditioningValues,
    "input": InputSection,
    "output": OutputSection,
}
"""The sections of a generation config, with what they hold besides plugins' options."""


@dataclass(frozen=True)
class GenerationConfig:
    """A generation config, checked as far as can be without the model.

    Attributes:
        generation: The section's own keys.
        sampler_options: The section's other keys, for the sampler.
        conditioning_defaults: Values for what samples leave out.
        source: The input source.
        output: The section.
        encoder: The audio format.
        naming: The naming strategy.
        post_processors: What the audio goes through before it is encoded.
        observers: Who is told how the run goes.
        origin: The config's file name, for messages.
    """

    generation: GenerationSection
    sampler_options: Mapping[str, Any]
    conditioning_defaults: Mapping[str, Any]
    source: InputSource
    output: OutputSection
    encoder: Encoder
    naming: NamingStrategy
    post_processors: tuple[PostProcessor, ...]
    observers: tuple[Observer, ...] = ()
    origin: str = ""

    @property
    def trims(self) -> bool:
        """Whether outputs are cut to ``seconds_total``."""
        return any(one.NAME == TRIM for one in self.post_processors)


@dataclass
class _Checks:
    """Collects the problems of several checks, so that the user sees all of them at once."""

    problems: list[Problem] = field(default_factory=list)

    def collect(self, error: InputError) -> None:
        self.problems.extend(error.problems)


def parse_config(
    data: Any, plugins: PluginManager, origin: str = "", *, observed: bool = True
) -> GenerationConfig:
    """Checks a generation config and builds what it names.

    Args:
        data: The parsed JSON.
        plugins: Where the named plugins come from.
        origin: The config's file name, for messages.
        observed: Whether to build its observers, besides the one that writes the metadata.

    Raises:
        InputError: With every problem that can be found without a model.
    """
    if not isinstance(data, dict):
        raise InputError(Problem("", f"must be an object, not {type_name(data)}"), origin)
    checks = _Checks()
    for key in data:
        if key not in SECTIONS:
            hint = did_you_mean(key, SECTIONS)
            checks.problems.append(
                Problem(json_path("", [key]), f"unknown section{hint}; allowed: {listed(SECTIONS)}")
            )
    generation, sampler_options = _generation(data.get("generation", {}), plugins, checks)
    defaults = _conditioning(data, checks)
    source = _source(data, plugins, checks)
    section = data.get("output", {})
    output = _section(OutputSection, section, "output", checks)
    if output is not None and not observed:
        output = output.model_copy(update={"observers": [], "report": False, "manifest": None})
    encoder = _named(plugins.encoders, section, "file_format", checks)
    naming = _named(plugins.naming, section, "file_naming", checks)
    post_processors = () if output is None else _post_processors(output, plugins, checks)
    observers = () if output is None else _observers(output, plugins, checks)
    if (
        checks.problems
        or generation is None
        or source is None
        or output is None
        or encoder is None
        or naming is None
    ):
        raise InputError(checks.problems, origin)
    return GenerationConfig(
        generation,
        sampler_options,
        defaults,
        source,
        output,
        encoder,
        naming,
        post_processors,
        observers,
        origin,
    )


def _section(model: type[OptionsT], data: Any, where: str, checks: _Checks) -> OptionsT | None:
    try:
        return validate(model, data, where)
    except InputError as error:
        checks.collect(error)
        return None


def _generation(
    data: Any, plugins: PluginManager, checks: _Checks
) -> tuple[GenerationSection | None, Mapping[str, Any]]:
    """The section's own keys, and those left for the sampler."""
    if not isinstance(data, dict):
        return _section(GenerationSection, data, "generation", checks), {}
    known = GenerationSection.model_fields
    own = {key: value for key, value in data.items() if key in known}
    others = {key: value for key, value in data.items() if key not in known}
    section = _section(GenerationSection, own, "generation", checks)
    name = own.get("sampler_type")
    if isinstance(name, str) and name not in plugins.samplers:
        checks.problems.append(Problem("generation.sampler_type", plugins.samplers.unknown(name)))
    if isinstance(name, str) and name in plugins.samplers:
        try:
            check_sampler_options(plugins, name, others)
        except InputError as error:
            checks.collect(error)
    else:
        # Which sampler it is will be known with the model, or once its name is mended.
        possible = plugins.samplers.classes(DEFAULT_SAMPLERS.values() if name is None else None)
        every = [key for plugin in possible for key in plugin.Options.model_fields]
        allowed = list(dict.fromkeys([*known, *every]))
        checks.problems.extend(
            Problem(
                json_path("generation", [key]),
                f"unknown key{did_you_mean(key, allowed)}; allowed: {listed(allowed)}",
            )
            for key in others
            if key not in allowed
        )
    if section is not None:
        checks.problems.extend(one.below("generation") for one in generation_problems(section))
    return section, others


DEFAULT_SAMPLERS: Mapping[str, str] = {
    "v": "dpmpp-3m-sde",
    "rectified_flow": "euler",
    "rf_denoiser": "pingpong",
}
"""The sampler of each diffusion objective where a config names none."""


def check_sampler_options(
    plugins: PluginManager, name: str, options: Mapping[str, Any]
) -> PluginOptions:
    """Validates the keys of ``generation`` that are left for a sampler.

    Raises:
        InputError: There is no such sampler, a key is neither the section's nor the sampler's, or a
            value is wrong.
    """
    model = plugins.samplers.named(name, "generation.sampler_type").Options
    own = list(model.model_fields)
    known = [*GenerationSection.model_fields, *own]
    problems = [
        Problem(
            json_path("generation", [key]),
            f"unknown key for sampler '{name}'{did_you_mean(key, known)}; allowed: {listed(known)}",
        )
        for key in options
        if key not in own
    ]
    try:
        known_to_it = {key: value for key, value in options.items() if key in own}
        with plugins.samplers.calling(name, "generation.sampler_type"):
            checked = validate(model, known_to_it, "generation")
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return checked


def generation_problems(section: GenerationSection) -> Iterator[Problem]:
    """What is wrong with values that are each allowed, at places below the section."""
    low, high = section.cfg_interval
    if low > high:
        yield Problem("cfg_interval", f"must be [low, high], not [{low}, {high}]")
    highest = MAX_SEED - section.batch_size + 1
    if section.seed > highest:
        yield Problem(
            "seed",
            f"must be at most {highest} with batch_size {section.batch_size}, not {section.seed}",
        )


def _conditioning(data: Mapping[str, Any], checks: _Checks) -> Mapping[str, Any]:
    if "conditioning_defaults" not in data:
        return DEFAULT_CONDITIONING
    values = data["conditioning_defaults"]
    if not isinstance(values, dict):
        checks.problems.append(
            Problem("conditioning_defaults", f"must be an object, not {type_name(values)}")
        )
        return {}
    return with_homes(values)


def with_homes(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Conditioning values with their paths as files are opened by."""
    changed = {
        key: at_home(path)
        for key in PATHS
        if isinstance(path := values.get(key), str) and path.startswith("~")
    }
    return {**values, **changed} if changed else values


def _source(data: Mapping[str, Any], plugins: PluginManager, checks: _Checks) -> InputSource | None:
    if "input" not in data:
        checks.problems.append(Problem("input", "is required, but missing"))
        return None
    section = data["input"]
    if not isinstance(section, dict):
        checks.problems.append(Problem("input", f"must be an object, not {type_name(section)}"))
        return None
    if "type" not in section:
        checks.problems.append(
            Problem(
                "input.type", f"is required, but missing; known: {listed(plugins.inputs.names())}"
            )
        )
        return None
    return _built(
        plugins.inputs,
        section["type"],
        {key: value for key, value in section.items() if key != "type"},
        "input",
        "type",
        checks,
    )


def _named(registry: Registry[T], section: Any, key: str, checks: _Checks) -> T | None:
    """Builds the plugin that a key of ``output`` names."""
    if not isinstance(section, dict):
        return None
    value = section.get(key, OutputSection.model_fields[key].default)
    if not isinstance(value, str | dict):
        return None  # the section's own check says so
    return _from_name(registry, value, f"output.{key}", checks)


def _from_name(
    registry: Registry[T], value: str | dict[str, Any], where: str, checks: _Checks
) -> T | None:
    """Builds a plugin from ``"name"`` or ``{"name": ..., option: ...}``."""
    if isinstance(value, str):
        return _built(registry, value, {}, where, "", checks)
    if "name" not in value:
        checks.problems.append(Problem(f"{where}.name", "is required, but missing"))
        return None
    options = {key: one for key, one in value.items() if key != "name"}
    return _built(registry, value["name"], options, where, "name", checks)


TRIM = "trim"
"""The post-processor that ``output.cut_to_seconds_total`` switches on."""

PEAK = "peak"
"""The post-processor that runs where a config names none."""


def _post_processors(
    output: OutputSection, plugins: PluginManager, checks: _Checks
) -> tuple[PostProcessor, ...]:
    """The chain: cut first, so that loudness and fades belong to what is heard.

    Only where a config has no chain of its own comes the level first: it is that of the whole of
    what the model made, as users know it.
    """
    cut = [TRIM] if output.cut_to_seconds_total else []
    registry = plugins.post_processors
    if output.post_processing is None:
        built = [_from_name(registry, name, "output", checks) for name in [PEAK, *cut]]
    else:
        built = [
            _from_name(registry, value, f"output.post_processing[{index}]", checks)
            for index, value in enumerate(output.post_processing)
        ]
        if cut and not any(one is not None and one.NAME == TRIM for one in built):
            built.insert(0, _from_name(registry, TRIM, "output.cut_to_seconds_total", checks))
    return tuple(one for one in built if one is not None)


SWITCHES = {"save_metadata": "metadata", "report": "report"}
"""The keys of ``output`` that switch observers on, each with the observer's name."""

OF_FOLDERS = ("report", "manifest")
"""The observers that read the output folder when a run ends."""

MANIFEST = "manifest"
"""The observer that ``output.manifest`` switches on, and gives its format."""


def _observers(
    output: OutputSection, plugins: PluginManager, checks: _Checks
) -> tuple[Observer, ...]:
    registry = plugins.observers
    named = [
        _from_name(registry, value, f"output.observers[{index}]", checks)
        for index, value in enumerate(output.observers)
    ]
    built = [one for one in named if one is not None]
    for key, name in SWITCHES.items():
        if getattr(output, key) and name not in {one.NAME for one in built}:
            switched = _from_name(registry, name, f"output.{key}", checks)
            built += [] if switched is None else [switched]
    listed = {getattr(one.options, "format", None) for one in built if one.NAME == MANIFEST}
    if output.manifest is not None and output.manifest not in listed:
        manifest: dict[str, Any] = {"name": MANIFEST, "format": output.manifest}
        listing = _from_name(registry, manifest, "output.manifest", checks)
        built += [] if listing is None else [listing]
    if is_address(output.output_dir):
        if not output.save_metadata:
            what = "must be true: at an address an output is done when its metadata stands"
            checks.problems.append(Problem("output.save_metadata", what))
        checks.problems += [
            Problem(
                "output.observers",
                f"'{one.NAME}' is made of the files in a folder, and output_dir is an address",
            )
            for one in built
            if one.NAME in OF_FOLDERS
        ]
    return tuple(built)


def _built(
    registry: Registry[T], name: Any, options: dict[str, Any], where: str, key: str, checks: _Checks
) -> T | None:
    path = json_path(where, [key]) if key else where
    if not isinstance(name, str):
        checks.problems.append(Problem(path, f"must be a string, not {type_name(name)}"))
        return None
    try:
        plugin: Any = registry.named(name, path)
    except InputError as error:
        checks.collect(error)
        return None
    try:
        with registry.calling(name, ""):
            checked = _section(plugin.Options, options, where, checks)
            if checked is None:
                return None
            built: T = plugin(checked)
    except InputError as error:  # it cannot work on this machine, or with these options together
        checks.problems.extend(one.below(where) for one in error.problems)
        return None
    return built
