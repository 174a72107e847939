"""Runs a sampler: gives it the model in the form that it asks for, and the start that belongs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audiogen_core.diffusion.denoiser import VDenoiser
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.interfaces.sampler import (
    FlowSampler,
    OnStep,
    Sampler,
    ScheduleRequest,
    SigmaSampler,
    VelocityModel,
    VSampler,
)


@torch.inference_mode()
def draw(
    sampler: Sampler,
    velocity: VelocityModel,
    request: ScheduleRequest,
    noise: NoiseSource,
    on_step: OnStep,
    clean: Tensor | None = None,
) -> Tensor:
    """Draws latents.

    Args:
        sampler: The sampler.
        velocity: The network with its conditioning and guidance.
        request: What the noise levels are made from.
        noise: The batch's noise.
        on_step: Called after every step.
        clean: The latents that are varied; None for none.

    Returns:
        The clean latents, ``[batch, channels, latents]`` in float32.

    Raises:
        TypeError: The sampler inherits from none of the three classes of samplers.
    """
    levels = sampler.schedule(request)
    start = noise.start
    if isinstance(sampler, SigmaSampler):
        x = start * levels[0] if clean is None else clean + start * levels[0]
        return sampler.sample(VDenoiser(velocity), x, levels, noise, on_step)
    if isinstance(sampler, VSampler | FlowSampler):
        # As the reference does, also where a sampler begins at a time that the model has shifted.
        level = min(request.sigma_max, 1.0)
        x = start
        if clean is not None and isinstance(sampler, VSampler):
            angle = level * math.pi / 2
            x = clean * math.cos(angle) + start * math.sin(angle)
        elif clean is not None:
            x = clean * (1 - level) + start * level
        return sampler.sample(velocity, x, levels, noise, on_step)
    raise TypeError(f"{type(sampler).__name__} is none of SigmaSampler, VSampler, FlowSampler")
