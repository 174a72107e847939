"""``model_config.json``: the part of the Stable Audio format that generation needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from audiogen_core.diffusion.shift import DistributionShift
from audiogen_core.errors import MAX_PROBLEMS, InputError, Problem, did_you_mean, listed
from audiogen_core.models.limits import (
    MAX_PARTS,
    MAX_POSITIONS,
    MAX_SAMPLE_RATE,
    MAX_SAMPLES,
    MAX_WIDTH,
    Positions,
    Width,
)
from audiogen_core.options import json_path, shown, validate


class _Section(BaseModel):
    """Base of the format's own sections.

    Keys that are not known are kept apart, to be named in a note: published configs carry
    training settings, and forks add keys of their own.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)


OUTPUT_DIM = "output_dim"


class ConditionerSection(_Section):
    """One conditioner: its id, its type, and the options of that type.

    With ``output_dim`` among these, it has another width than the model's ``cond_dim``.
    """

    id: str = Field(min_length=1)
    type: str
    config: dict[str, Any] = {}

    @field_validator("config")
    @classmethod
    def _own_width(cls, value: dict[str, Any]) -> dict[str, Any]:
        width = value.get(OUTPUT_DIM, 1)
        if type(width) is not int or not 0 < width <= MAX_WIDTH:
            raise ValueError(
                f"{OUTPUT_DIM} must be a whole number from 1 to {MAX_WIDTH}, not {shown(width)}"
            )
        return value

    @property
    def options(self) -> dict[str, Any]:
        """Those of its type."""
        return {key: value for key, value in self.config.items() if key != OUTPUT_DIM}


Ids: TypeAlias = Annotated[list[str], Field(max_length=MAX_PARTS)]
"""Of conditioners."""


class ConditioningSection(_Section):
    """The conditioners of a model."""

    configs: list[ConditionerSection] = Field(max_length=MAX_PARTS)
    cond_dim: Width
    default_keys: dict[str, str] = {}
    pre_encoded_keys: Ids = []

    def width(self, conditioner: ConditionerSection) -> int:
        """Channels of a conditioner's tokens."""
        return int(conditioner.config.get(OUTPUT_DIM, self.cond_dim))


class NetworkSection(_Section):
    """An encoder, decoder or bottleneck: its type and the options of that type."""

    type: str
    config: dict[str, Any] = {}
    requires_grad: bool = True
    soft_clip: bool = False


class AutoencoderSection(_Section):
    """The autoencoder of a pretransform."""

    encoder: NetworkSection
    decoder: NetworkSection
    bottleneck: NetworkSection | None = None
    latent_dim: Width
    downsampling_ratio: int = Field(gt=0, le=MAX_SAMPLES)
    io_channels: Width
    in_channels: Width | None = None
    out_channels: Width | None = None
    pretransform: None = None

    @property
    def audio_channels(self) -> int:
        """The channels of the audio that it makes."""
        return self.out_channels or self.io_channels


class PretransformSection(_Section):
    """What stands between audio and latents: whatever it says, samples are decoded one by one."""

    type: Literal["autoencoder"]
    config: AutoencoderSection
    scale: float = Field(1.0, gt=0)
    iterate_batch: bool = False
    model_half: bool = False
    chunked: bool = False
    enable_grad: bool = False


class ShiftSection(_Section):
    """The shift of timesteps with the length of the latents."""

    base_shift: float = 0.5
    max_shift: float = 1.15
    max_length: Positions = 4096
    min_length: Positions = 256
    use_sine: bool = False


class DiffusionSection(_Section):
    """The backbone, and which conditioning goes into which of its inputs."""

    type: str
    config: dict[str, Any]
    diffusion_objective: Literal["v", "rectified_flow", "rf_denoiser"] = "v"
    cross_attention_cond_ids: Ids = []
    global_cond_ids: Ids = []
    input_concat_ids: Ids = []
    prepend_cond_ids: Ids = []
    distribution_shift_options: ShiftSection | None = None


class ModelSection(_Section):
    """The parts of the model."""

    io_channels: Width
    diffusion: DiffusionSection
    conditioning: ConditioningSection | None = None
    pretransform: PretransformSection | None = None


class ModelFile(_Section):
    """The whole file."""

    model_type: Literal["diffusion_cond", "diffusion_cond_inpaint"]
    sample_size: int = Field(gt=0, le=MAX_SAMPLES)
    sample_rate: int = Field(gt=0, le=MAX_SAMPLE_RATE)
    audio_channels: Width = 2
    model: ModelSection


INPAINT_MASK, INPAINT_INPUT = INPAINTING = ("inpaint_mask", "inpaint_masked_input")
"""What ``input_concat_ids`` calls the mask and the kept latents, which no conditioner makes."""

_NOT_FOR_GENERATION = {"training", "dataset", "name", "description", "license", "version"}


@dataclass(frozen=True)
class ModelConfig:
    """A checked model config.

    Attributes:
        file: The validated sections.
        raw: The JSON as it was read.
        source: The file's name, for messages.
        notes: What the user should know about it.
    """

    file: ModelFile
    raw: Mapping[str, Any]
    source: str
    notes: tuple[str, ...] = ()

    @property
    def sample_rate(self) -> int:
        """In hertz."""
        return self.file.sample_rate

    @property
    def inpaints(self) -> bool:
        """Whether it fills in recordings."""
        return self.file.model_type == "diffusion_cond_inpaint"

    @property
    def objective(self) -> str:
        """``v``, ``rectified_flow`` or ``rf_denoiser``."""
        return self.file.model.diffusion.diffusion_objective

    @property
    def conditioners(self) -> list[ConditionerSection]:
        """The conditioners, in the order of the file."""
        conditioning = self.file.model.conditioning
        return [] if conditioning is None else conditioning.configs

    @property
    def default_keys(self) -> Mapping[str, str]:
        """Which key a conditioner reads when its own is not given."""
        conditioning = self.file.model.conditioning
        return {} if conditioning is None else conditioning.default_keys

    @property
    def takes_negative_prompts(self) -> bool:
        """Whether the network attends to the prompt: in that place a negative prompt counts."""
        attended = self.file.model.diffusion.cross_attention_cond_ids
        return any("prompt" in (key, self.default_keys.get(key)) for key in attended)

    @property
    def is_guided(self) -> bool:
        """Whether guidance has anything to compare: tokens that are attended to or prepended."""
        diffusion = self.file.model.diffusion
        return bool(diffusion.cross_attention_cond_ids or diffusion.prepend_cond_ids)

    @property
    def pre_encoded_keys(self) -> list[str]:
        """The ids whose values are embeddings already."""
        conditioning = self.file.model.conditioning
        return [] if conditioning is None else conditioning.pre_encoded_keys

    @property
    def ratio(self) -> int:
        """Audio samples a latent."""
        pretransform = self.file.model.pretransform
        return 1 if pretransform is None else pretransform.config.downsampling_ratio

    @property
    def latents(self) -> int:
        """The length of the latents at the model's full length."""
        return self.file.sample_size // self.ratio

    @property
    def samples(self) -> int:
        """The length of the audio at the model's full length, in samples a channel."""
        return self.latents * self.ratio

    @property
    def channels(self) -> int:
        """The channels of the audio."""
        pretransform = self.file.model.pretransform
        if pretransform is None:
            return self.file.model.io_channels
        return pretransform.config.audio_channels

    @property
    def shift(self) -> DistributionShift | None:
        """The shift of timesteps, if the model was trained with one."""
        options = self.file.model.diffusion.distribution_shift_options
        if options is None:
            return None
        return DistributionShift(
            options.base_shift,
            options.max_shift,
            options.max_length,
            options.min_length,
            options.use_sine,
        )


def parse_model_config(data: Any, source: str) -> ModelConfig:
    """Checks a model config.

    Args:
        data: The parsed JSON.
        source: The file's name, for messages.

    Raises:
        InputError: With every problem found.
    """
    if isinstance(data, dict) and isinstance(data.get("model_type"), str):
        _check_model_type(data["model_type"], source)
    file = validate(ModelFile, data, source=source)
    problems = list(_inconsistencies(file))
    if problems:
        raise InputError(problems, source)
    unknown = [path for path in _unknown_keys(file) if path not in _NOT_FOR_GENERATION]
    notes = tuple(f"{source}: {path}: not known, ignored" for path in unknown[:MAX_PROBLEMS])
    if more := len(unknown) - len(notes):
        notes += (f"{source}: {more} more keys are not known, ignored",)
    return ModelConfig(file, data, source, notes)


def _check_model_type(model_type: str, source: str) -> None:
    known = {
        "diffusion_uncond",
        "diffusion_autoencoder",
        "autoencoder",
        "lm",
    }
    if model_type in known:
        raise InputError(
            Problem(
                "model_type",
                f"'{model_type}' models cannot be generated with yet; supported: "
                "'diffusion_cond', 'diffusion_cond_inpaint'",
            ),
            source,
        )


def _inconsistencies(file: ModelFile) -> Iterator[Problem]:
    model = file.model
    ids = [section.id for section in model.conditioning.configs] if model.conditioning else []
    inpainting = INPAINTING if file.model_type == "diffusion_cond_inpaint" else ()
    for index, one in enumerate(ids):
        if one in ids[:index]:
            yield Problem(f"model.conditioning.configs[{index}].id", f"'{one}' appears twice")
    diffusion = model.diffusion
    for key in (
        "cross_attention_cond_ids",
        "global_cond_ids",
        "input_concat_ids",
        "prepend_cond_ids",
    ):
        for index, one in enumerate(getattr(diffusion, key)):
            if one not in ids and not (key == "input_concat_ids" and one in inpainting):
                path = f"model.diffusion.{key}[{index}]"
                hint = f"{did_you_mean(one, ids)}; known: {listed(ids) or 'none'}"
                yield Problem(path, f"no conditioner has the id '{one}'{hint}")
    yield from _differences(
        diffusion.config,
        "model.diffusion.config",
        {"io_channels": (model.io_channels, "model.io_channels"), **_conditioning_dims(model)},
    )
    if model.pretransform is not None:
        autoencoder = model.pretransform.config
        where = "model.pretransform.config"
        latents, audio = autoencoder.latent_dim, autoencoder.audio_channels
        yield from _differences(
            {"latent_dim": latents}, where, {"latent_dim": (model.io_channels, "model.io_channels")}
        )
        yield from _differences(
            autoencoder.decoder.config,
            f"{where}.decoder.config",
            {
                "latent_dim": (latents, f"{where}.latent_dim"),
                "out_channels": (audio, "the channels of the pretransform"),
            },
        )
        heard = autoencoder.in_channels or autoencoder.io_channels
        yield from _differences(
            autoencoder.encoder.config,
            f"{where}.encoder.config",
            {"in_channels": (heard, "the channels of the pretransform")},
        )
        if file.sample_size < autoencoder.downsampling_ratio:
            yield Problem(
                "sample_size",
                f"must be at least the downsampling_ratio ({autoencoder.downsampling_ratio}), "
                f"not {file.sample_size}",
            )
    ratio = 1 if model.pretransform is None else model.pretransform.config.downsampling_ratio
    if (latents := file.sample_size // ratio) > MAX_POSITIONS:
        yield Problem("sample_size", f"makes {latents} latents, more than {MAX_POSITIONS}")
    shift = diffusion.distribution_shift_options
    if shift is not None and shift.max_length == shift.min_length:
        yield Problem(
            "model.diffusion.distribution_shift_options.max_length", "must differ from min_length"
        )


def _conditioning_dims(model: ModelSection) -> dict[str, tuple[int, str]]:
    """The sizes of the backbone's conditioning inputs, where the conditioners decide them."""
    if model.conditioning is None:
        return {}
    conditioning, diffusion = model.conditioning, model.diffusion
    dim = conditioning.cond_dim
    widths = {one.id: conditioning.width(one) for one in conditioning.configs}
    inputs: dict[str, tuple[list[str], int, str]] = {}
    for key, ids in (
        ("cond_token_dim", diffusion.cross_attention_cond_ids),
        ("prepend_cond_dim", diffusion.prepend_cond_ids),
    ):
        found = {widths.get(one, dim) for one in ids}
        if len(found) == 1:  # where they differ, they do not even fit each other
            (size,) = found
            inputs[key] = (ids, size, "cond_dim" if size == dim else OUTPUT_DIM)
    ids = diffusion.global_cond_ids
    sizes = [widths.get(one, dim) for one in ids]
    why = f"cond_dim {dim} for each of {len(ids)} global_cond_ids"
    if set(sizes) != {dim}:
        why = f"the {OUTPUT_DIM} of the global_cond_ids: {', '.join(map(str, sizes))}"
    inputs["global_cond_dim"] = (ids, sum(sizes), why)
    # Embeddings that come ready made have sizes of their own.
    ready_made = set(model.conditioning.pre_encoded_keys)
    return {
        key: (size, why)
        for key, (ids, size, why) in inputs.items()
        if ids and not ready_made & set(ids)
    }


def _differences(
    found: Mapping[str, Any], where: str, wanted: Mapping[str, tuple[int, str]]
) -> Iterator[Problem]:
    """What differs from the size that it must have; a key that is left out has its own default."""
    for key, (size, why) in wanted.items():
        if key in found and found[key] != size:
            yield Problem(f"{where}.{key}", f"must be {size} ({why}), not {shown(found[key])}")


def _unknown_keys(section: BaseModel, where: str = "") -> Iterator[str]:
    yield from (json_path(where, [key]) for key in section.model_extra or {})
    for name in type(section).model_fields:
        value = getattr(section, name)
        path = json_path(where, [name])
        if isinstance(value, BaseModel):
            yield from _unknown_keys(value, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _unknown_keys(item, json_path(path, [index]))
