"""A latent diffusion model: its parts, filled from a checkpoint, and what it does for a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiogen_core.devices import make_exact
from audiogen_core.errors import InputError
from audiogen_core.interfaces.backbone import Backbone, BackboneInputs
from audiogen_core.interfaces.conditioner import Conditioner, Embedding
from audiogen_core.models import checkpoint as checkpoints
from audiogen_core.models.compiling import compile_blocks
from audiogen_core.models.conditioning import backbone_inputs, embed, negative_tokens, value_for
from audiogen_core.models.config import ModelConfig
from audiogen_core.models.linear import make_fast
from audiogen_core.models.pretransform import Pretransform
from audiogen_core.models.quantize import quantize

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
        encoder: The network from audio to latents; its weights are checked, but loaded only where
            audio is to be encoded.
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

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        """Lets the conditioners load what checkpoints lack.

        Args:
            device: Where the model will run.
            dtype: The type of its weights.

        Raises:
            InputError: Something that the config names cannot be loaded.
        """
        for index, conditioner in enumerate(self.conditioners.values()):
            try:
                conditioner.prepare(device, dtype)
            except InputError as error:
                where = f"model.conditioning.configs[{index}].config"
                problems = [problem.below(where) for problem in error.problems]
                raise type(error)(problems, self.config.source) from error

    def load(
        self,
        path: Path,
        *,
        autoencoder_path: Path | None = None,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        quantized: bool = False,
        compiled: bool = False,
        encodes: bool = False,
    ) -> None:
        """Fills the model with weights, once it is prepared.

        Args:
            path: The checkpoint.
            autoencoder_path: A checkpoint whose autoencoder replaces the model's own.
            device: Where to put the weights.
            dtype: The type of the weights.
            quantized: Whether the backbone computes in 8-bit integers.
            compiled: Whether the backbone's blocks are to be compiled.
            encodes: Whether audio will be encoded, for which the encoder's weights are loaded.

        Raises:
            InputError: A checkpoint is broken or does not fit, every mismatch listed.
        """
        source = checkpoints.open_checkpoint(path)
        replacement = None
        if autoencoder_path is not None:
            # Opened first, so that a wrong path is found before gigabytes are read.
            replacement = checkpoints.open_checkpoint(autoencoder_path)
        if quantized:
            quantize(self.backbone)
        modules = self.modules()
        own = {key: one for key, one in modules.items() if key.startswith(AUTOENCODER)}
        dtypes = dict.fromkeys(modules, dtype)
        if self._autoencoder_in_half(device):
            dtypes.update(dict.fromkeys(own, torch.float16))
        unused = frozenset[str]() if encodes else frozenset({"encoder."})
        names = checkpoints.model_names(source.shapes())
        if replacement is not None:
            # An autoencoder in the checkpoint is not looked at: it may be missing, or another.
            modules = {key: one for key, one in modules.items() if key not in own}
            names = {key: one for key, one in names.items() if not key.startswith(AUTOENCODER)}
        checkpoints.load(
            source,
            names,
            modules,
            device=device,
            dtypes=dtypes,
            unused=frozenset(AUTOENCODER + key for key in unused),
        )
        if replacement is not None:
            # Problems are told in the names of an autoencoder alone.
            checkpoints.load(
                replacement,
                checkpoints.autoencoder_names(replacement.shapes()),
                {key.removeprefix(AUTOENCODER): one for key, one in own.items()},
                device=device,
                dtypes={key.removeprefix(AUTOENCODER): dtypes[key] for key in own},
                unused=unused,
            )
        make_fast(self.backbone)
        if compiled:
            compile_blocks(self.backbone)
        if self.pretransform is not None:
            self.pretransform.decoder.prepare()
            if encodes:
                self.pretransform.encoder = self.encoder
        make_exact(device)
        self.device, self.dtype = device, dtype

    def _autoencoder_in_half(self, device: torch.device) -> bool:
        """``model_half`` saves time and memory on a GPU; on a CPU it would cost time."""
        section = self.config.file.model.pretransform
        return section is not None and section.model_half and device.type != "cpu"

    def foresee(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Lets the conditioners embed in advance all that they will be asked for.

        Args:
            samples: Conditioning values, as for `condition`; those of negative prompts among them.
        """
        for key, conditioner in self.conditioners.items():
            if key not in self.config.pre_encoded_keys:
                with suppress(Exception):  # what is wrong with a value costs its own output, later
                    conditioner.foresee([value_for(one, key, self.config) for one in samples])

    @torch.inference_mode()
    def condition(
        self,
        samples: Sequence[Mapping[str, Any]],
        negatives: Sequence[Mapping[str, Any] | None],
        generators: Sequence[torch.Generator],
        more: Mapping[str, Embedding] | None = None,
    ) -> ConditioningInputs:
        """Embeds a batch.

        Args:
            samples: The conditioning values of each sample.
            negatives: The same with the negative prompt in the prompt's place; None for a sample
                without one.
            generators: One a sample, for conditioners that draw at random.
            more: What is known of the samples besides, by id.
        """
        section = self.config.file.model.diffusion
        before = [one.get_state() for one in generators]

        def embedded(rows: Sequence[int], values: Sequence[Mapping[str, Any]]) -> Any:
            chosen = [generators[row] for row in rows]
            return embed(values, self.conditioners, self.config, chosen, self.device)

        positive = backbone_inputs(
            {**embedded(range(len(samples)), samples), **(more or {})}, section
        )
        given = {row: one for row, one in enumerate(negatives) if one is not None}
        if not given or positive.cross_attention is None:
            return ConditioningInputs(positive, None)
        rows = list(given)
        # What is drawn for the one half is drawn for the other.
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(state)
        # The others have zeros, as they have in a batch without any negative prompt.
        negative = torch.zeros_like(positive.cross_attention)
        negative[rows] = negative_tokens(embedded(rows, list(given.values())), section)
        return ConditioningInputs(positive, negative)

    def encode(self, audio: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Audio ``[batch, audio channels, samples]`` to float32 latents.

        Args:
            audio: As many samples as the latents shall take.
            generators: One a sample, for autoencoders that draw at random.
        """
        if self.pretransform is None:
            return audio.to(self.device)
        return self.pretransform.encode(audio.to(self.device), generators)

    def decode(self, latents: Tensor) -> Tensor:
        """``[batch, channels, latents]`` to audio ``[batch, audio channels, samples]``, float32."""
        return latents.float() if self.pretransform is None else self.pretransform.decode(latents)
