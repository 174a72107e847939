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
from dataclasses import dataclass
from typing import Any, ClassVar, Self

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
