"""Assembles a model from the plugins that its config names, without weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audiogen_core.downloads import Downloaded, unreported
from audiogen_core.embedding_file import read_header
from audiogen_core.errors import InputError, Problem, UnavailableError
from audiogen_core.interfaces.backbone import Backbone
from audiogen_core.interfaces.conditioner import BuildContext, Embedding
from audiogen_core.jobs import Plan
from audiogen_core.models.conditioning import backbone_inputs, inpainting_inputs, value_for
from audiogen_core.models.config import ModelConfig, NetworkSection
from audiogen_core.models.model import Model
from audiogen_core.models.pretransform import Pretransform
from audiogen_core.options import PluginOptions, validate
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import Registry


def build_model(
    config: ModelConfig,
    plugins: PluginManager,
    folder: Path | None,
    downloaded: Downloaded = unreported,
) -> Model:
    """Assembles a model from the plugins that its config names, without any weights.

    Args:
        config: The model config.
        plugins: Where the parts come from.
        folder: The folder of the model config, for relative paths in it.
        downloaded: Is told how downloads of its parts go.

    Raises:
        InputError: The config names an unknown part or wrong options; with every problem.
    """
    section = config.file.model
    builder = _Builder(plugins, config.source)
    with torch.device("meta"):
        backbone = builder.part(
            plugins.backbones, section.diffusion.type, section.diffusion.config, "model.diffusion"
        )
        conditioners = {}
        if section.conditioning is not None:
            for index, one in enumerate(section.conditioning.configs):
                where = f"model.conditioning.configs[{index}]"
                context = BuildContext(section.conditioning.width(one), folder, downloaded)
                conditioners[one.id] = builder.part(
                    plugins.conditioners, one.type, one.options, where, context
                )
        encoder, pretransform = _build_pretransform(config, builder)
    builder.finish()
    _check_length(backbone, config)
    if (cause := _misfit(backbone, config, {})) is not None:
        what = f"does not fit the model's latents and conditioning: {cause}"
        raise InputError(Problem("model.diffusion.config", what), config.source)
    return Model(config, backbone, conditioners, encoder, pretransform)


def _check_length(backbone: Backbone, config: ModelConfig) -> None:
    length = config.latents
    if length % backbone.length_multiple:
        raise InputError(
            Problem(
                "sample_size",
                f"makes {length} latents, which must be a multiple of {backbone.length_multiple}",
            ),
            config.source,
        )


def check_embeddings(model: Model, plan: Plan) -> None:
    """Tries the network with embeddings that come ready made, of which only the headers are read.

    Raises:
        InputError: Their shapes are not what it was made for; every sample of another shape.
    """
    config = model.config
    keys = [one.id for one in config.conditioners if one.id in config.pre_encoded_keys]
    problems: dict[tuple[tuple[int, ...], ...], Problem | None] = {}
    for job in plan.jobs if keys else ():
        shapes = {key: read_header(value_for(job.values, key, config))[0] for key in keys}
        if (given := tuple(shapes.values())) not in problems:
            cause = _misfit(model.backbone, config, shapes)
            sizes = ", ".join(f"'{key}' {list(shape)}" for key, shape in shapes.items())
            what = f"does not fit the model with embeddings of these shapes, {sizes}: {cause}"
            problems[given] = Problem(job.where, what) if cause else None
    if found := [problem for problem in problems.values() if problem is not None]:
        raise InputError(found)


def _misfit(
    backbone: Backbone, config: ModelConfig, ready_made: Mapping[str, tuple[int, ...]]
) -> str | None:
    """Why the network does not take the latents and the conditioning.

    Args:
        backbone: The network, without weights.
        config: The model config.
        ready_made: The shapes of the embeddings of `ModelConfig.pre_encoded_keys`.

    Returns:
        The cause; None where it takes them, or where more would have to be known.
    """
    section, conditioning = config.file.model.diffusion, config.file.model.conditioning
    ids = {one.id for one in config.conditioners}
    if ids & {*section.input_concat_ids, *config.pre_encoded_keys} - set(ready_made):
        return None
    shapes: dict[str, tuple[int, ...]] = {}
    if conditioning is not None:
        shapes = {one.id: (1, conditioning.width(one)) for one in conditioning.configs}
    embeddings = {
        key: Embedding(torch.zeros(1, *ready_made.get(key, shape)), torch.ones(1, 1))
        for key, shape in shapes.items()
    }
    latents = torch.zeros(1, config.file.model.io_channels, config.latents)
    if config.inpaints:
        embeddings |= inpainting_inputs(latents, torch.zeros(1, config.latents))
    try:
        backbone.check(latents, backbone_inputs(embeddings, section))
    except (RuntimeError, ValueError) as error:  # the embeddings may not even fit each other
        return " ".join(str(error).split())
    return None


class _Builder:
    """Builds parts one after the other and collects what is wrong with any of them."""

    def __init__(self, plugins: PluginManager, source: str) -> None:
        self.plugins = plugins
        self._source = source
        self._problems: list[Problem] = []

    def part(
        self, registry: Registry[Any], name: str, config: Mapping[str, Any], where: str, *args: Any
    ) -> Any:
        if (plugin := self.plugin(registry, name, where)) is None:
            return None
        return self.built(plugin.build, plugin.Options, config, where, *args)

    def plugin(self, registry: Registry[Any], name: str, where: str) -> Any:
        try:
            return registry.named(name, f"{where}.type")
        except InputError as error:
            self._problems.extend(error.problems)
            return None

    def built(
        self,
        build: Any,
        model: type[PluginOptions],
        config: Mapping[str, Any],
        where: str,
        *args: Any,
    ) -> Any:
        try:
            return build(validate(model, dict(config), f"{where}.config"), *args)
        except InputError as error:
            problems = [
                problem if problem.where.startswith(where) else problem.below(f"{where}.config")
                for problem in error.problems
            ]
            if isinstance(error, UnavailableError):
                raise UnavailableError(problems, self._source) from error
            self._problems.extend(problems)
        except ValueError as error:
            self._problems.append(Problem(f"{where}.config", str(error)))
        return None

    def problem(self, where: str, what: str) -> None:
        self._problems.append(Problem(where, what))

    def finish(self) -> None:
        if self._problems:
            raise InputError(self._problems, self._source)


def _build_pretransform(
    config: ModelConfig, builder: _Builder
) -> tuple[nn.Module | None, Pretransform | None]:
    section = config.file.model.pretransform
    if section is None:
        return None, None
    where = "model.pretransform.config"
    parts = section.config
    registry = builder.plugins.autoencoders

    def network(side: str, network: NetworkSection) -> Any:
        path = f"{where}.{side}"
        if (architecture := builder.plugin(registry, network.type, path)) is None:
            return None
        build = getattr(architecture, f"build_{side}")
        options = getattr(architecture, f"{side.capitalize()}Options")
        return builder.built(build, options, network.config, path)

    encoder, decoder = network("encoder", parts.encoder), network("decoder", parts.decoder)
    bottleneck = None
    if (one := parts.bottleneck) is not None:
        bottleneck = builder.part(
            builder.plugins.bottlenecks, one.type, one.config, f"{where}.bottleneck"
        )
    if decoder is None:
        return None, None
    if decoder.ratio != parts.downsampling_ratio:
        builder.problem(
            f"{where}.downsampling_ratio",
            f"must equal the decoder's ratio ({decoder.ratio}), not {parts.downsampling_ratio}",
        )
    if (ratio := getattr(encoder, "ratio", None)) not in (None, decoder.ratio):
        builder.problem(
            f"{where}.encoder.config",
            f"makes a latent of {ratio} samples, but the decoder {decoder.ratio} samples of one",
        )
    return encoder, Pretransform(
        decoder=decoder,
        bottleneck=bottleneck,
        scale=section.scale,
        soft_clip=parts.decoder.soft_clip,
    )
