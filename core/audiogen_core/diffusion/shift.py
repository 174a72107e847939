"""The shift of timesteps with the length of the latents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DistributionShift:
    """Moves timesteps towards noise for longer sequences (Esser et al. 2024, section 5.3.2).

    Attributes:
        base_shift: The shift at ``min_length`` latents.
        max_shift: The shift at ``max_length`` latents.
        min_length: In latents.
        max_length: In latents.
        use_sine: Whether a quarter sine follows.
    """

    base_shift: float = 0.5
    max_shift: float = 1.15
    max_length: int = 4096
    min_length: int = 256
    use_sine: bool = False

    def __call__(self, times: Tensor, latents: int) -> Tensor:
        """The shifted times for sequences of ``latents``; 0 and 1 stay."""
        slope = (self.max_shift - self.base_shift) / (self.max_length - self.min_length)
        mu = -(self.base_shift + slope * (latents - self.min_length))
        shifted = 1 - math.exp(mu) / (math.exp(mu) + (1 / (1 - times) - 1))
        return (shifted * math.pi / 2).sin() if self.use_sine else shifted
