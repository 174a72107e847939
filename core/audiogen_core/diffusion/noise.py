"""Seeded noise: one generator a sample, so that no sample depends on its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property

import torch
from torch import Tensor

from audiogen_core.diffusion.brownian import BrownianPath, grain

BrownianNoise = Callable[[Tensor, Tensor], Tensor]


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
        seeds = [
            int(torch.randint(0, 2**63 - 1, [], generator=one).item()) for one in self.generators
        ]
        ends = float(sigma_min), float(sigma_max)
        paths = [BrownianPath(*ends, (1, *self._shape), seed) for seed in seeds]
        # Drawing is one core's work for each path, and else longer than a step of a fast device.
        count = min(len(paths), torch.get_num_threads())
        threads = ThreadPoolExecutor(count) if count > 1 else None

        def increment(sigma: Tensor, sigma_next: Tensor) -> Tensor:
            low, high = float(min(sigma, sigma_next)), float(max(sigma, sigma_next))
            # Nothing happens between levels that a path does not tell apart: not even 0 / 0.
            if grain(low) == grain(high):
                return torch.zeros((len(paths), *self._shape), device=self._device)
            # Going down in sigma is going back in the path's time.
            sign = -1.0 if sigma_next < sigma else 1.0

            def draw(path: BrownianPath) -> Tensor:
                return path.increment(low, high)

            drawn: Iterable[Tensor] = map(draw, paths)
            if threads is not None:
                with suppress(RuntimeError):  # when the interpreter ends, no thread takes work
                    drawn = threads.map(draw, paths)
            spread = (torch.maximum(sigma, sigma_next) - torch.minimum(sigma, sigma_next)).sqrt()
            return (torch.cat(list(drawn)) * sign / spread).to(self._device)

        return increment
