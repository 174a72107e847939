"""What a model is and takes, from its config and its checkpoint's header: no weights are read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audiogen_core.config import DEFAULT_SAMPLERS
from audiogen_core.errors import InputError, Problem
from audiogen_core.memory import sampling_bytes
from audiogen_core.models.checkpoint import model_names, open_checkpoint
from audiogen_core.models.config import ModelConfig
from audiogen_core.models.model import AUTOENCODER, BACKBONE, CONDITIONER
from audiogen_core.options import validate
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import Registry

PARTS = (DIFFUSION, CONDITIONERS, DECODER, ENCODER, OTHER) = (
    "diffusion", "conditioners", "decoder", "encoder", "other",
)  # fmt: skip
"""The parts of a model; the encoder of its autoencoder takes no part in generating."""

PREFIXES = {
    BACKBONE: DIFFUSION,
    CONDITIONER: CONDITIONERS,
    f"{AUTOENCODER}encoder.": ENCODER,
    AUTOENCODER: DECODER,
}
"""How the tensors of each part are called; the first that fits."""

DTYPES = (torch.float32, torch.float16)
"""What weights are computed with: as they are, and with ``--model-half``."""


@dataclass(frozen=True)
class ConditionerDescription:
    """One conditioner.

    Attributes:
        id: The key of a sample's value.
        type: Its plugin.
        inputs: Which inputs of the network it feeds.
        options: Its options with their defaults: ranges, lengths, words.
        default_key: The key that is read where the id is not given.
    """

    id: str
    type: str
    inputs: tuple[str, ...]
    options: Mapping[str, Any]
    default_key: str | None


@dataclass(frozen=True)
class Memory:
    """What generating takes with weights of one type, in bytes.

    Attributes:
        weights: The weights, without those of text encoders.
        sampling: Sampling one output under guidance, as it is estimated for batches.
    """

    weights: int
    sampling: int


@dataclass(frozen=True)
class ModelDescription:
    """A model.

    Attributes:
        name: As it was asked for.
        model_type: Of the config.
        objective: What its network predicts.
        sampler: What is used where a config names none.
        samplers: All that fit.
        sample_rate: In hertz.
        channels: Of the audio.
        seconds: The longest output.
        latents: Their number at that length.
        latent_channels: Their channels.
        conditioners: In the order of the config.
        parameters: Numbers by part, as `DIFFUSION` and its like.
        memory: By the name of the type of the weights.
        checkpoint: The weights, where they are on this machine.
        stored: The types that the numbers are stored in, if so.
    """

    name: str
    model_type: str
    objective: str
    sampler: str
    samplers: tuple[str, ...]
    sample_rate: int
    channels: int
    seconds: float
    latents: int
    latent_channels: int
    conditioners: tuple[ConditionerDescription, ...]
    parameters: Mapping[str, int]
    memory: Mapping[str, Memory]
    checkpoint: str | None
    stored: tuple[str, ...]


def describe_model(
    name: str, config: ModelConfig, plugins: PluginManager, checkpoint: Path | None
) -> ModelDescription:
    """Describes a model.

    Args:
        name: What to call it.
        config: Its config.
        plugins: Where its parts come from.
        checkpoint: Its weights, of which the header is read; None counts what the config says.

    Raises:
        InputError: The config names a part that is not known, or the checkpoint is broken.
    """
    stored: tuple[str, ...] = ()
    if checkpoint is None:
        shapes = _built(config, plugins)
    else:
        shapes, stored = _stored(checkpoint)
    parameters: Counter[str] = Counter()
    for tensor, shape in shapes.items():
        parameters[_part(tensor)] += math.prod(shape)
    widths = [shape[0] for tensor, shape in shapes.items()
              if _part(tensor) == DIFFUSION and len(shape) > 1]  # fmt: skip
    needed = sum(count for part, count in parameters.items() if part != ENCODER)
    memory = {
        str(dtype).removeprefix("torch."): Memory(
            needed * dtype.itemsize,
            sampling_bytes(config.latents, max(widths, default=0), dtype, guided=True),
        )
        for dtype in DTYPES
    }
    fitting = [one.NAME for one in plugins.samplers.classes() if config.objective in one.OBJECTIVES]
    return ModelDescription(
        name=name,
        model_type=config.file.model_type,
        objective=config.objective,
        sampler=DEFAULT_SAMPLERS[config.objective],
        samplers=tuple(fitting),
        sample_rate=config.sample_rate,
        channels=config.channels,
        seconds=config.samples / config.sample_rate,
        latents=config.latents,
        latent_channels=config.file.model.io_channels,
        conditioners=tuple(_conditioners(config, plugins)),
        parameters={part: parameters[part] for part in PARTS if part in parameters},
        memory=memory,
        checkpoint=None if checkpoint is None else str(checkpoint),
        stored=stored,
    )


def _part(tensor: str) -> str:
    return next((part for prefix, part in PREFIXES.items() if tensor.startswith(prefix)), OTHER)


def _stored(path: Path) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """The shapes of a checkpoint's tensors by their names in the model, and their types."""
    checkpoint = open_checkpoint(path)
    shapes = checkpoint.shapes()
    names = model_names(shapes)
    types = {str(checkpoint.tensor(found).dtype).removeprefix("torch.") for found in names.values()}
    return {name: shapes[found] for name, found in names.items()}, tuple(sorted(types))


def _built(config: ModelConfig, plugins: PluginManager) -> dict[str, tuple[int, ...]]:
    """The same of the networks that a config describes, without numbers in them.

    Conditioners are left out: some need files that would have to be downloaded.
    """
    section = config.file.model
    modules: dict[str, nn.Module] = {}
    with torch.device("meta"):
        diffusion = _plugin(plugins.backbones, section.diffusion.type, "model.diffusion", config)
        options = validate(
            diffusion.Options, dict(section.diffusion.config), "model.diffusion.config",
            config.source,
        )  # fmt: skip
        modules[BACKBONE] = diffusion.build(options)
        if section.pretransform is not None:
            for side in ("encoder", "decoder"):
                network = getattr(section.pretransform.config, side)
                where = f"model.pretransform.config.{side}"
                plugin = _plugin(plugins.autoencoders, network.type, where, config)
                model = getattr(plugin, f"{side.capitalize()}Options")
                options = validate(model, dict(network.config), f"{where}.config", config.source)
                modules[f"{AUTOENCODER}{side}."] = getattr(plugin, f"build_{side}")(options)
    return {
        f"{prefix}{name}": tuple(tensor.shape)
        for prefix, module in modules.items()
        for name, tensor in module.state_dict().items()
    }


def _plugin(registry: Registry[Any], name: str, where: str, config: ModelConfig) -> Any:
    if name not in registry:
        raise InputError(Problem(f"{where}.type", registry.unknown(name)), config.source)
    return registry.load(name)


def _conditioners(config: ModelConfig, plugins: PluginManager) -> Iterator[ConditionerDescription]:
    diffusion = config.file.model.diffusion
    ids: Mapping[str, Sequence[str]] = {
        "cross-attention": diffusion.cross_attention_cond_ids,
        "global": diffusion.global_cond_ids,
        "prepended": diffusion.prepend_cond_ids,
        "joined to the latents": diffusion.input_concat_ids,
    }
    for index, one in enumerate(config.conditioners):
        where = f"model.conditioning.configs[{index}]"
        plugin = _plugin(plugins.conditioners, one.type, where, config)
        options = validate(plugin.Options, one.options, f"{where}.config", config.source)
        yield ConditionerDescription(
            one.id,
            one.type,
            tuple(name for name, those in ids.items() if one.id in those),
            options.model_dump(mode="json"),
            config.default_keys.get(one.id),
        )
