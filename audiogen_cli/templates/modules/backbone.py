"""The diffusion network: a few convolutions that see the time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from audiogen_core.interfaces.backbone import Backbone, BackboneInputs
from audiogen_core.options import PluginOptions


class ConvolutionOptions(PluginOptions):
    """The keys of ``model.diffusion.config``."""

    io_channels: int = Field(gt=0, examples=[64], description="Channels of the latents.")
    hidden: int = Field(32, gt=0, description="Channels inside.")
    depth: int = Field(2, gt=0, description="How many convolutions.")


class MyPlugin(Backbone):
    """Residual convolutions over the latents, shifted by the time and the global embedding."""

    NAME = "my-plugin"
    Options = ConvolutionOptions

    def __init__(self, io_channels: int, *, hidden: int, depth: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(io_channels, hidden, 1)
        self.time = nn.Linear(1, hidden)
        self.layers = nn.ModuleList(nn.Conv1d(hidden, hidden, 3, padding=1) for _ in range(depth))
        self.leave = nn.Conv1d(hidden, io_channels, 1)

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A small network and the number of its latents' channels."""
        return {"options": {"io_channels": 4}, "channels": 4}

    @classmethod
    def build(cls, options: ConvolutionOptions) -> Self:
        """Makes the module."""
        return cls(options.io_channels, hidden=options.hidden, depth=options.depth)

    def forward(self, x: Tensor, t: Tensor, inputs: BackboneInputs) -> Tensor:
        """Predicts the velocity, ``[batch, channels, latents]``; the prompt goes unheard."""
        del inputs
        dtype = self.leave.weight.dtype
        hidden = self.enter(x.to(dtype)) + self.time(t.to(dtype)[:, None])[..., None]
        for layer in self.layers:
            hidden = hidden + torch.nn.functional.silu(layer(hidden))
        velocity: Tensor = self.leave(hidden)
        return velocity.to(x.dtype)
