"""Churn: the noise that Karras et al.'s stochastic sampler adds before a step of the ODE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource

MAX_CHURN = 2**0.5 - 1
"""A step never adds more noise than the latents hold already."""


class ChurnOptions(PluginOptions):
    """How much noise is added between the steps; none by default."""

    s_churn: float = Field(
        default=0.0, ge=0, description="Total amount of noise added over all steps; 0 adds none."
    )
    s_tmin: float = Field(
        default=0.0, ge=0, description="Add noise only at noise levels of at least this sigma."
    )
    s_tmax: float | None = Field(
        default=None, ge=0, description="Add noise only up to this sigma; null means any."
    )
    s_noise: float = Field(
        default=1.0, ge=0, description="Standard deviation of the noise that is added."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.s_tmax is not None and self.s_tmin > self.s_tmax:
            raise ValueError(f"s_tmin ({self.s_tmin}) must not be above s_tmax ({self.s_tmax})")
        return self


def churn(
    x: Tensor, sigma: Tensor, steps: int, options: ChurnOptions, noise: NoiseSource
) -> tuple[Tensor, Tensor]:
    """Raises the noise level of ``x`` before a step.

    Lines 4 to 6 of algorithm 2 of Karras et al. (2022), "Elucidating the Design Space of
    Diffusion-Based Generative Models", arXiv:2206.00364.

    Args:
        x: Latents at noise level ``sigma``, ``[batch, channels, latents]``.
        sigma: The noise level, ``[]``.
        steps: The number of steps over which ``s_churn`` is spread.
        options: How much noise to add, and where.
        noise: Where it comes from.

    Returns:
        The noisier latents and their noise level.
    """
    if options.s_churn == 0:
        return x, sigma
    # Drawn outside the interval too, so that moving its ends leaves the other steps' noise alone.
    eps = noise.normal() * options.s_noise
    if sigma < options.s_tmin or (options.s_tmax is not None and sigma > options.s_tmax):
        return x, sigma
    raised = sigma * (1 + min(options.s_churn / steps, MAX_CHURN))
    return x + eps * (raised**2 - sigma**2).sqrt(), raised
