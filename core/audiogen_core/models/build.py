"""Assembles a model from the plugins that its config names, without weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiogen_core.errors import InputError, Problem, UnavailableError
from audiogen_core.interfaces.backbone import Backbone, BackboneInputs
from audiogen_core.interfaces.conditioner import BuildContext
from audiogen_core.models.config import ModelConfig, NetworkSection
from audiogen_core.models.model import Model
from audiogen_core.models.pretransform import Pretransform
from audiogen_core.observer import Downloaded, unreported
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
            context = BuildContext(section.conditioning.cond_dim, folder, downloaded)
            for index, one in enumerate(section.conditioning.configs):
                where = f"model.conditioning.configs[{index}]"
                conditioners[one.id] = builder.part(
                    plugins.conditioners, one.type, one.config, where, context
                )
        encoder, pretransform = _build_pretransform(config, builder)
    builder.finish()
    _try_out(backbone, config)
    return Model(config, backbone, conditioners, encoder, pretransform)


@torch.no_grad()
def _try_out(backbone: Backbone, config: ModelConfig) -> None:
    """Runs the network on the meta device, where shapes are all there is: it costs nothing.

    Raises:
        InputError: It does not take the latents and conditioning that the model config has for it.
    """
    section, length = config.file.model.diffusion, config.latents
    if length % backbone.length_multiple:
        raise InputError(
            Problem(
                "sample_size",
                f"makes {length} latents, which must be a multiple of {backbone.length_multiple}",
            ),
            config.source,
        )
    if section.input_concat_ids or set(config.pre_encoded_keys):
        return  # their shapes are known with their values
    conditioning = config.file.model.conditioning
    dim = 0 if conditioning is None else conditioning.cond_dim

    def meta(*shape: int) -> Tensor:
        return torch.empty(shape, device="meta")

    def tokens(ids: list[str]) -> Tensor | None:
        return meta(1, len(ids), dim) if ids else None

    globals_ = section.global_cond_ids
    inputs = BackboneInputs(
        cross_attention=tokens(section.cross_attention_cond_ids),
        prepend=tokens(section.prepend_cond_ids),
        global_embedding=meta(1, dim * len(globals_)) if globals_ else None,
    )
    latents = meta(1, config.file.model.io_channels, length)
    try:
        velocity = backbone(latents, meta(1), inputs)
    except (RuntimeError, ValueError, AttributeError) as error:
        cause = " ".join(str(error).split())
    else:
        if velocity.shape == latents.shape:
            return
        cause = f"it returns {list(velocity.shape)} for latents of {list(latents.shape)}"
    raise InputError(
        Problem(
            "model.diffusion.config",
            f"does not fit the model's latents and conditioning: {cause}",
        ),
        config.source,
    )


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
        if name not in registry:
            self._problems.append(Problem(f"{where}.type", registry.unknown(name)))
            return None
        return registry.load(name)

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
    return encoder, Pretransform(
        decoder=decoder,
        bottleneck=bottleneck,
        scale=section.scale,
        iterate_batch=section.iterate_batch,
        soft_clip=parts.decoder.soft_clip,
    )
