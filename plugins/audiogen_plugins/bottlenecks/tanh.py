"""A bottleneck that limits latents smoothly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor

from audiogen_core.interfaces.bottleneck import Bottleneck
from audiogen_core.options import PluginOptions


class TanhOptions(PluginOptions):
    """The keys of its ``config``."""

    scale: float = Field(default=1.0, gt=0)


class TanhBottleneck(Bottleneck):
    """Latents are the tanh of the encoder's output.

    Args:
        scale: Latents stay between ``-scale`` and ``scale``.
    """

    NAME = "tanh"
    Options = TanhOptions

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Any number of channels will do."""
        return {"channels": 6}

    @classmethod
    def build(cls, options: TanhOptions) -> Self:
        """Makes the module."""
        return cls(options.scale)

    def encode(self, x: Tensor, generator: torch.Generator | None) -> Tensor:  # noqa: ARG002
        """``[batch, channels, latents]`` to the same shape; nothing is drawn at random."""
        return torch.tanh(x / self.scale) * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        """The latents themselves, ``[batch, channels, latents]``."""
        return latents
