"""What the stochastic samplers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from audiogen_core.options import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import BrownianNoise, NoiseSource


class SDEOptions(PluginOptions):
    """How much noise replaces what a step removes."""

    eta: float = Field(
        default=1.0,
        ge=0,
        description="Amount of noise added after each step: 0 follows the ODE, 1 the usual SDE.",
    )
    s_noise: float = Field(
        default=1.0, ge=0, description="Standard deviation of the noise that is added."
    )


def brownian_path(noise: NoiseSource, sigmas: Tensor, eta: float) -> BrownianNoise | None:
    """The Brownian path over the positive levels, or None where no step adds noise.

    A single positive level has only the step to 0 after it, which adds none.
    """
    levels = sigmas[sigmas > 0]
    if eta == 0 or len(levels) < 2:
        return None
    return noise.brownian(levels.min(), levels.max())
