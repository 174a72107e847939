"""A latent diffusion model: its parts, built without weights, then filled from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.backbone import Backbone, BackboneInputs
from audiogen_core.interfaces.conditioner import BuildContext, Conditioner
from audiogen_core.models import checkpoint as checkpoints
from audiogen_core.models.conditioning import backbone_inputs, embed, negative_tokens
from audiogen_core.models.config import ModelConfig, NetworkSection
from audiogen_core.models.pretransform import Pretransform
from audiogen_core.options import PluginOptions, validate
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import Registry

BACKBONE = "model."
CONDITIONER = "conditioner.conditioners."
AUTOENCODER = "pretransform.model."


@dataclass(frozen=True)
class ConditioningInputs:
    """What guidance works with: the prompt's inputs, and the negative prompt's tokens."""

    positive: BackboneInputs
    negative: Tensor | None


class Model:
    """A latent diffusion model.

    Attributes:
        config: Its config.
        backbone: The diffusion network.
        conditioners: By id, in the order of the config.
        encoder: The network from audio to latents; its weights are checked but not loaded.
        pretransform: Latents to audio; None for models that work on audio itself.
        device: Where the weights are.
        dtype: The type of the backbone's weights.
    """

    def __init__(
        self,
        config: ModelConfig,
        backbone: Backbone,
        conditioners: Mapping[str, Conditioner],
        encoder: nn.Module | None,
        pretransform: Pretransform | None,
    ) -> None:
        self.config = config
        self.backbone = backbone
        self.conditioners = conditioners
        self.encoder = encoder
        self.pretransform = pretransform
        self.device = torch.device("meta")
        self.dtype = torch.float32

    def modules(self) -> dict[str, nn.Module]:
        """The modules by the prefix of their tensors' names in a checkpoint."""
        modules: dict[str, nn.Module] = {
            BACKBONE + self.backbone.CHECKPOINT_PREFIX: self.backbone,
            **{f"{CONDITIONER}{key}.": one for key, one in self.conditioners.items()},
        }
        if self.pretransform is not None and self.encoder is not None:
            modules[f"{AUTOENCODER}encoder."] = self.encoder
            modules[f"{AUTOENCODER}decoder."] = self.pretransform.decoder
            if self.pretransform.bottleneck is not None:
                modules[f"{AUTOENCODER}bottleneck."] = self.pretransform.bottleneck
        return modules

    def load(
        self,
        path: Path,
        *,
        autoencoder_path: Path | None = None,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Fills the model with weights.

        Args:
            path: The checkpoint.
            autoencoder_path: A checkpoint whose autoencoder replaces the model's own.
            device: Where to put the weights.
            dtype: The type of the weights.

        Raises:
            InputError: A checkpoint is broken or does not fit, every mismatch listed.
        """
        source = checkpoints.open_checkpoint(path)
        replacement = None
        if autoencoder_path is not None:
            # Opened first, so that a wrong path is found before gigabytes are read.
            replacement = checkpoints.open_checkpoint(autoencoder_path)
        modules = self.modules()
        autoencoder = {key for key in modules if key.startswith(AUTOENCODER)}
        encoder = {f"{AUTOENCODER}encoder."}
        dtypes = dict.fromkeys(modules, dtype)
        if self._autoencoder_in_half(device):
            dtypes.update(dict.fromkeys(autoencoder, torch.float16))
        checkpoints.load(
            source,
            checkpoints.model_names(source.shapes()),
            modules,
            device=device,
            dtypes=dtypes,
            unused=frozenset(encoder if replacement is None else autoencoder),
        )
        if replacement is not None:
            parts = {key.removeprefix(AUTOENCODER): modules[key] for key in autoencoder}
            checkpoints.load(
                replacement,
                checkpoints.autoencoder_names(replacement.shapes()),
                parts,
                device=device,
                dtypes={key: dtypes[AUTOENCODER + key] for key in parts},
                unused=frozenset({"encoder."}),
            )
        for conditioner in self.conditioners.values():
            conditioner.prepare(device, dtype)
        if self.pretransform is not None:
            self.pretransform.decoder.prepare()
        self.device, self.dtype = device, dtype

    def _autoencoder_in_half(self, device: torch.device) -> bool:
        """``model_half`` saves time and memory on a GPU; on a CPU it would cost time."""
        section = self.config.file.model.pretransform
        return section is not None and section.model_half and device.type != "cpu"

    @torch.inference_mode()
    def condition(
        self,
        samples: Sequence[Mapping[str, Any]],
        negatives: Sequence[Mapping[str, Any]] | None,
        generators: Sequence[torch.Generator],
    ) -> ConditioningInputs:
        """Embeds a batch.

        Args:
            samples: The conditioning values of each sample.
            negatives: The same with the negative prompt in the prompt's place; None without one.
            generators: One a sample, for conditioners that draw at random.
        """
        section = self.config.file.model.diffusion

        def embedded(values: Sequence[Mapping[str, Any]]) -> Any:
            return embed(values, self.conditioners, self.config, generators, self.device)

        return ConditioningInputs(
            backbone_inputs(embedded(samples), section),
            None if negatives is None else negative_tokens(embedded(negatives), section),
        )

    def decode(self, latents: Tensor) -> Tensor:
        """``[batch, channels, latents]`` to audio ``[batch, audio channels, samples]``, float32."""
        return latents.float() if self.pretransform is None else self.pretransform.decode(latents)


def build_model(config: ModelConfig, plugins: PluginManager, folder: Path | None) -> Model:
    """Assembles a model from the plugins that its config names, without any weights.

    Args:
        config: The model config.
        plugins: Where the parts come from.
        folder: The folder of the model config, for relative paths in it.

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
            context = BuildContext(section.conditioning.cond_dim, folder)
            for index, one in enumerate(section.conditioning.configs):
                where = f"model.conditioning.configs[{index}]"
                conditioners[one.id] = builder.part(
                    plugins.conditioners, one.type, one.config, where, context
                )
        encoder, pretransform = _build_pretransform(config, builder)
    builder.finish()
    return Model(config, backbone, conditioners, encoder, pretransform)


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
            self._problems.extend(
                problem
                if problem.where.startswith(where)
                else Problem(
                    f"{where}.config{'.' * bool(problem.where)}{problem.where}", problem.what
                )
                for problem in error.problems
            )
        except ValueError as error:
            self._problems.append(Problem(f"{where}.config", str(error)))
        return None

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
        raise InputError(
            Problem(
                f"{where}.downsampling_ratio",
                f"must equal the decoder's ratio ({decoder.ratio}), not {parts.downsampling_ratio}",
            ),
            config.source,
        )
    return encoder, Pretransform(
        decoder=decoder,
        bottleneck=bottleneck,
        scale=section.scale,
        iterate_batch=section.iterate_batch,
        soft_clip=parts.decoder.soft_clip,
    )
