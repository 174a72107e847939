"""The bottleneck of a variational autoencoder (Kingma and Welling 2013, arXiv 1312.6114)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from audiogen_core.interfaces.bottleneck import Bottleneck
from audiogen_core.options import NoOptions


class VAEBottleneck(Bottleneck):
    """Latents are drawn from a normal distribution that the encoder describes.

    The first half of its output's channels is the mean; the softplus of the second half is the
    standard deviation.
    """

    NAME = "vae"
    Options = NoOptions

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Means and scales of three latent channels."""
        return {"channels": 6}

    @classmethod
    def build(cls, options: NoOptions) -> Self:  # noqa: ARG003  (there are none)
        """Makes the module."""
        return cls()

    def encode(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """``[batch, 2 * channels, latents]`` to ``[batch, channels, latents]``."""
        mean, scale = torch.chunk(x, 2, dim=1)
        if generator is None:
            return mean
        noise = torch.randn(mean.shape, generator=generator, device=generator.device)
        return mean + noise.to(mean) * (functional.softplus(scale) + 1e-4)

    def decode(self, latents: Tensor) -> Tensor:
        """The latents themselves, ``[batch, channels, latents]``."""
        return latents
