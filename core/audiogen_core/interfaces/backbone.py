"""Backbones: the diffusion network itself, from noisy latents and conditioning to a velocity.

A complete third-party backbone::

    class Linear(Backbone):
        '''One 1x1 convolution, which learns nothing worth hearing.'''

        NAME = "linear"

        class Options(PluginOptions):
            io_channels: int

        def __init__(self, io_channels: int) -> None:
            super().__init__()
            self.mix = nn.Conv1d(io_channels, io_channels, 1)

        @classmethod
        def build(cls, options: PluginOptions) -> Self:
            return cls(options.io_channels)

        def forward(self, x: Tensor, t: Tensor, inputs: BackboneInputs) -> Tensor:
            return self.mix(x)

    @hookimpl
    def audiogen_backbones(register):
        register("linear", Linear)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from audiogen_core.options import NoOptions, PluginOptions


@dataclass(frozen=True)
class BackboneInputs:
    """The conditioning of a batch, joined from the conditioners' embeddings.

    Attributes:
        cross_attention: ``[batch, tokens, dim]``, padded positions being zero vectors.
        global_embedding: ``[batch, dim]``.
        prepend: ``[batch, tokens, dim]``.
        input_concat: ``[batch, channels, latents]``.
    """

    cross_attention: Tensor | None = None
    global_embedding: Tensor | None = None
    prepend: Tensor | None = None
    input_concat: Tensor | None = None

    def to(self, device: torch.device) -> BackboneInputs:
        """The same elsewhere."""
        moved = {key: None if one is None else one.to(device) for key, one in vars(self).items()}
        return replace(self, **moved)


class Backbone(nn.Module, ABC):
    """A diffusion network.

    Attributes:
        NAME: What ``model.diffusion.type`` calls it.
        CHECKPOINT_PREFIX: What its tensor names begin with in a checkpoint, after ``model.``.
        Options: The keys of ``model.diffusion.config``.
    """

    NAME: ClassVar[str]
    CHECKPOINT_PREFIX: ClassVar[str] = "model."
    Options: ClassVar[type[PluginOptions]] = NoOptions

    @classmethod
    @abstractmethod
    def build(cls, options: Any) -> Self:
        """Makes the module from an instance of its ``Options``.

        Called under ``torch.device("meta")``: parameters hold no data yet.
        """

    @property
    def length_multiple(self) -> int:
        """Latent lengths must be a multiple of this."""
        return 1

    def check(self, x: Tensor, inputs: BackboneInputs) -> None:
        """Checks before any weights are loaded that latents and conditioning fit the network.

        This tries the network without data. For that torch imports what takes it seconds, so a
        network that many use should compare the shapes itself.

        Args:
            x: Latents; only their shape matters, ``[1, channels, latents]``.
            inputs: Conditioning; only its shapes matter.

        Raises:
            ValueError: They do not fit, and why.
        """
        device = torch.device("meta")
        # The weights may have been loaded.
        own = {name: one.to(device) for name, one in self.named_parameters()}
        own |= {name: one.to(device) for name, one in self.named_buffers()}
        tried = (x.to(device), torch.empty(1, device=device), inputs.to(device))
        try:
            with torch.no_grad():
                out = torch.func.functional_call(self, own, tried)
        except Exception as error:  # a plugin's network raises what it likes
            raise ValueError(" ".join(str(error).split())) from error
        if out.shape != x.shape:
            raise ValueError(f"it returns {list(out.shape)} for latents of {list(x.shape)}")

    def prepared(self, inputs: BackboneInputs) -> BackboneInputs:
        """Computes once what stays the same in all steps of a run.

        Args:
            inputs: The conditioning of a batch.

        Returns:
            What `forward` will be given in its place.
        """
        return inputs

    @abstractmethod
    def forward(self, x: Tensor, t: Tensor, inputs: BackboneInputs) -> Tensor:
        """Predicts the velocity.

        Args:
            x: Noisy latents, ``[batch, channels, latents]``.
            t: Times in [0, 1], ``[batch]``.
            inputs: The conditioning.

        Returns:
            ``[batch, channels, latents]``.
        """
