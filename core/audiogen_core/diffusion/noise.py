"""Seeded noise: one generator a sample, so that no sample depends on its neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

BrownianNoise = Callable[[Tensor, Tensor], Tensor]

TREE_DIGITS = 6
"""Of the times that torchsde tells from each other."""


class NoiseSource:
    """Unit normal noise for a batch, drawn on the CPU so that a seed means the same everywhere.

    Args:
        seeds: One a sample.
        shape: ``(channels, latents)`` of a sample.
        device: Where the noise is returned.

    Attributes:
        generators: Those of the samples, for whatever else is drawn for them.
    """

    def __init__(
        self, seeds: Sequence[int], shape: tuple[int, int], device: torch.device | str = "cpu"
    ) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._shape = shape
        self._device = torch.device(device)

    @cached_property
    def start(self) -> Tensor:
        """What sampling starts from: it has to be asked for before anything else is drawn."""
        return self.normal()

    def normal(self) -> Tensor:
        """Fresh noise, ``[batch, channels, latents]`` in float32."""
        drawn = [torch.randn((1, *self._shape), generator=one) for one in self.generators]
        return torch.cat(drawn).to(self._device)

    def brownian(self, sigma_min: Tensor, sigma_max: Tensor) -> BrownianNoise:
        """Increments of a Brownian path a sample, for the SDE samplers.

        The same two levels always give the same increment, whatever other steps are taken, so
        that a sample keeps its character when the number of steps changes. Each path has its own
        seed, drawn from the sample's generator.

        Args:
            sigma_min: The lowest noise level above 0.
            sigma_max: The highest noise level.

        Returns:
            A function of two noise levels that returns the path's increment between them,
            scaled to unit variance, ``[batch, channels, latents]``.
        """
        import torchsde

        seeds = [
            int(torch.randint(0, 2**63 - 1, [], generator=one).item()) for one in self.generators
        ]
        trees = [
            torchsde.BrownianTree(
                sigma_min, torch.zeros((1, *self._shape)), sigma_max, entropy=seed
            )
            for seed in seeds
        ]

        def increment(sigma: Tensor, sigma_next: Tensor) -> Tensor:
            low, high = torch.minimum(sigma, sigma_next), torch.maximum(sigma, sigma_next)
            # To torchsde these are one time, between which its search would never end.
            if round(float(low), TREE_DIGITS) == round(float(high), TREE_DIGITS):
                return torch.zeros((len(trees), *self._shape), device=self._device)
            # Going down in sigma is going back in the path's time.
            sign = -1.0 if sigma_next < sigma else 1.0
            with warnings.catch_warnings():
                # torchsde remarks on levels that rounding has moved out of its interval.
                warnings.simplefilter("ignore")
                paths = torch.cat([tree(low, high) for tree in trees])
            return (paths * sign / (high - low).sqrt()).to(self._device)

        return increment
