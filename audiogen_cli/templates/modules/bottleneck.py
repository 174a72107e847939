"""The bottleneck: latents within limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor

from audiogen_core.interfaces.bottleneck import Bottleneck
from audiogen_core.options import PluginOptions


class LimitOptions(PluginOptions):
    """The keys of its ``config``."""

    limit: float = Field(1.0, gt=0, description="The largest absolute value of a latent.")


class MyPlugin(Bottleneck):
    """Clips latents to between minus and plus a limit."""

    NAME = "my-plugin"
    Options = LimitOptions

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """Any number of channels will do."""
        return {"channels": 4}

    @classmethod
    def build(cls, options: LimitOptions) -> Self:
        """Makes the module."""
        return cls(options.limit)

    def encode(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """The encoder's output, clipped; nothing is drawn at random."""
        del generator
        return x.clamp(-self.limit, self.limit)

    def decode(self, latents: Tensor) -> Tensor:
        """The latents as they are."""
        return latents
