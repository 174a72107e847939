"""Samplers: they turn noise into latents by asking a model again and again.

A complete third-party sampler::

    class Euler(SigmaSampler):
        '''Euler's method on the probability-flow ODE (Karras et al. 2022, algorithm 2).'''

        NAME = "my-euler"

        def schedule(self, request: ScheduleRequest) -> Tensor:
            return request.polyexponential()

        def sample(self, model, x, sigmas, noise, on_step):
            for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
                denoised = model(x, sigma)
                x = x + (x - denoised) / sigma * (sigma_next - sigma)
                on_step(index + 1, len(sigmas) - 1)
            return x

    @hookimpl
    def audiogen_samplers(register):
        register("my-euler", Euler)

A sampler inherits from one of three classes, by what it wants to be given: `SigmaSampler` a
denoiser over noise levels sigma, `VSampler` the velocity of a v-objective model over t,
`FlowSampler` the velocity of a rectified flow over t. Prompts, guidance, seeds and batches are
none of its business. Importing this module does not import torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from audiogen_core.options import NoOptions, PluginOptions

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.diffusion.shift import DistributionShift


class OnStep(Protocol):
    """What a sampler calls after every step."""

    def __call__(self, done: int, total: int | None) -> None:
        """``done`` steps of ``total`` are finished; ``total`` is None where nobody can know it."""


class Denoiser(Protocol):
    """A model that predicts the clean latents."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised latents.

        Args:
            x: Clean latents plus sigma times unit noise, ``[batch, channels, latents]``.
            sigma: The noise level: one for all ``[]`` or one for each sample ``[batch]``.

        Returns:
            ``[batch, channels, latents]``, guidance applied.
        """


class VelocityModel(Protocol):
    """A model that predicts the velocity: v of the v-objective, or that of a rectified flow."""

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity, ``[batch, channels, latents]``, guidance applied.

        Args:
            x: The noisy latents at time ``t``, ``[batch, channels, latents]``.
            t: The time in [0, 1], 1 being noise: ``[]`` or ``[batch]``.
        """

    def with_unconditional(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The guided velocity, and the one without the prompt (the same when guidance is off)."""


@dataclass(frozen=True)
class ScheduleRequest:
    """What a sampler makes its noise levels from.

    Attributes:
        steps: The number of steps, at least 1.
        sigma_min: The lowest noise level before 0.
        sigma_max: The highest noise level.
        rho: The exponent of the polynomial in log sigma.
        latents: The length of the latents.
        shift: The model's shift of timesteps with length, if it has one.
    """

    steps: int
    sigma_min: float
    sigma_max: float
    rho: float
    latents: int
    shift: DistributionShift | None = None

    def polyexponential(self) -> Tensor:
        """``[steps + 1]`` sigmas from sigma_max to sigma_min, polynomial in log sigma, then 0."""
        from audiogen_core.diffusion.schedules import polyexponential

        return polyexponential(self.steps, self.sigma_min, self.sigma_max, self.rho)

    def distinct_polyexponential(self) -> Tensor:
        """The same for samplers that divide by the size of a step.

        A high ``rho`` brings levels closer than float32 can tell apart: they become one.
        """
        from audiogen_core.diffusion.schedules import distinct

        return distinct(self.polyexponential())

    def linear(self) -> Tensor:
        """``[steps + 1]`` times spaced evenly from min(sigma_max, 1) to 0."""
        from audiogen_core.diffusion.schedules import linear

        return linear(self.steps, self.sigma_max)

    def log_snr(self) -> Tensor:
        """``[steps + 1]`` times of a flow, evenly in log-SNR from min(sigma_max, 1), then 0."""
        from audiogen_core.diffusion.schedules import log_snr

        return log_snr(self.steps, self.sigma_max)


class Sampler(ABC):
    """What all samplers share. Inherit from one of the three classes below instead.

    Attributes:
        NAME: What ``generation.sampler_type`` calls it.
        OBJECTIVES: The diffusion objectives that it can sample.
        ORDER: The order at which the error falls with the number of steps where no noise is
            added, which the contract checks measure; None where noise is always added, or where
            the steps are not chosen by their number.
        Options: The keys of ``generation`` that belong to this sampler.
    """

    NAME: ClassVar[str]
    OBJECTIVES: ClassVar[frozenset[str]]
    ORDER: ClassVar[float | None] = 1
    Options: ClassVar[type[PluginOptions]] = NoOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    @abstractmethod
    def schedule(self, request: ScheduleRequest) -> Tensor:
        """The noise levels (sigma or t), highest first, float32 on the CPU, ``[levels]``."""


class SigmaSampler(Sampler):
    """A sampler over noise levels sigma: latents are clean latents plus sigma times noise."""

    OBJECTIVES: ClassVar[frozenset[str]] = frozenset({"v"})

    @abstractmethod
    def sample(
        self, model: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Draws samples.

        Args:
            model: The denoiser.
            x: The start: unit noise times ``sigmas[0]``, ``[batch, channels, latents]``; added to
                clean latents where a recording is varied.
            sigmas: What `schedule` returned.
            noise: Fresh noise, independent for each sample.
            on_step: To be called after every step.

        Returns:
            The clean latents, ``[batch, channels, latents]``.
        """


class VSampler(Sampler):
    """A sampler over t of the v-objective: latents are cos(pi t/2) clean + sin(pi t/2) noise."""

    OBJECTIVES: ClassVar[frozenset[str]] = frozenset({"v"})

    @abstractmethod
    def sample(
        self, model: VelocityModel, x: Tensor, times: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Draws samples, as `SigmaSampler.sample` does; ``x`` starts as unit noise.

        Where a recording is varied, it is mixed with its latents at the request's ``sigma_max``.
        """


class FlowSampler(Sampler):
    """A sampler over t of a rectified flow: latents are (1 - t) clean + t noise."""

    OBJECTIVES: ClassVar[frozenset[str]] = frozenset({"rectified_flow", "rf_denoiser"})

    @abstractmethod
    def sample(
        self, model: VelocityModel, x: Tensor, times: Tensor, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        """Draws samples, as `SigmaSampler.sample` does; ``x`` starts as unit noise.

        Where a recording is varied, it is mixed with its latents at the request's ``sigma_max``.
        """
