"""A v-objective network seen as a denoiser over noise levels."""

from __future__ import annotations

import math

from torch import Tensor

from audiogen_core.interfaces.sampler import VelocityModel


class VDenoiser:
    """Turns v-predictions into denoised latents, for data of unit deviation.

    With the noise level sigma = tan(pi t / 2), latents scaled by 1 / sqrt(sigma^2 + 1) are the
    v-objective's own (Salimans and Ho 2022, "Progressive distillation", arXiv:2202.00512,
    appendix D; preconditioning as in Karras et al. 2022, arXiv:2206.00364, section 5).

    Args:
        velocity: The network with its conditioning.
    """

    def __init__(self, velocity: VelocityModel) -> None:
        self._velocity = velocity

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised latents; see `audiogen_core.interfaces.sampler.Denoiser`."""
        # A single level stays where it is: sending it to a device would be waiting for it.
        level = sigma if sigma.dim() == 0 else sigma.view(-1, 1, 1).to(x.device)
        variance = level**2 + 1
        velocity = self._velocity(x / variance**0.5, sigma.atan() / math.pi * 2)
        return x / variance - velocity * level / variance**0.5
