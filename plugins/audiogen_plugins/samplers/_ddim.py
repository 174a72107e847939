"""One step of DDIM for the v-objective."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource


class DDIMOptions(PluginOptions):
    """How much noise is added after each step."""

    eta: float = Field(
        default=0.0, ge=0, le=1, description="Noise added after each step: 0 none, 1 as in DDPM."
    )


def ddim_step(
    x: Tensor,
    t: Tensor,
    t_next: Tensor,
    *,
    velocity: Tensor,
    noise_velocity: Tensor,
    eta: float,
    noise: NoiseSource,
) -> Tensor:
    """Removes the predicted noise of time ``t`` and puts that of ``t_next`` in its place.

    Equations 12 and 16 of Song, Meng and Ermon (2020), "Denoising Diffusion Implicit Models",
    arXiv:2010.02502, with clean latents and noise from the velocity as in appendix D of Salimans
    and Ho (2022), "Progressive Distillation for Fast Sampling of Diffusion Models",
    arXiv:2202.00512.

    Args:
        x: The latents at time ``t``, ``[batch, channels, latents]``.
        t: The time, ``[]``: alpha is cos(pi t/2) and sigma is sin(pi t/2).
        t_next: The time to step to, ``[]``.
        velocity: What the clean latents are predicted from.
        noise_velocity: What the noise is predicted from.
        eta: The part of the DDPM posterior's noise that is drawn afresh.
        noise: Where it comes from.

    Returns:
        The latents at ``t_next``; at 0 they are the predicted clean ones.
    """
    alpha, sigma = _alpha_sigma(t)
    clean = x * alpha - velocity * sigma
    if t_next == 0:
        return clean
    eps = x * sigma + noise_velocity * alpha
    alpha_next, sigma_next = _alpha_sigma(t_next)
    if eta == 0:
        return clean * alpha_next + eps * sigma_next
    # 1 - (alpha / alpha_next)^2, of which rounding leaves nothing where the two are nearly equal.
    half = math.pi / 2
    less = ((t - t_next) * half).sin() * ((t + t_next) * half).sin() / alpha_next**2
    fresh = eta * sigma_next / sigma * less.sqrt()
    kept = (sigma_next**2 - fresh**2).clamp(min=0).sqrt()
    return clean * alpha_next + eps * kept + noise.normal() * fresh


def _alpha_sigma(t: Tensor) -> tuple[Tensor, Tensor]:
    angle = t * math.pi / 2
    return angle.cos(), angle.sin()
