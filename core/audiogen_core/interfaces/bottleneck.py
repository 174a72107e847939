"""Bottlenecks: what stands between the encoder's output and the latents.

A complete third-party bottleneck::

    class Clip(Bottleneck):
        '''Clips latents to [-1, 1].'''

        NAME = "clip"

        @classmethod
        def build(cls, options: PluginOptions) -> Self:
            return cls()

        def encode(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
            return x.clamp(-1, 1)

        def decode(self, latents: Tensor) -> Tensor:
            return latents

    @hookimpl
    def audiogen_bottlenecks(register):
        register("clip", Clip)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from audiogen_core.options import NoOptions, PluginOptions


class Bottleneck(nn.Module, ABC):
    """Shapes the latent space.

    Attributes:
        NAME: What ``bottleneck.type`` of a pretransform calls it.
        Options: The keys of its ``config``.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions

    @classmethod
    @abstractmethod
    def build(cls, options: Any) -> Self:
        """Makes the module from an instance of its ``Options``."""

    @abstractmethod
    def encode(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """The encoder's output ``[batch, channels, latents]`` to latents.

        ``generator`` supplies what is drawn at random; None draws the mean.
        """

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Latents to what the decoder takes, ``[batch, channels, latents]``."""
