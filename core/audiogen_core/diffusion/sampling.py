"""Runs a sampler: gives it the model in the form that it asks for, and the start that belongs."""

from __future__ import annotations

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
) -> Tensor:
    """Draws latents.

    Args:
        sampler: The sampler.
        velocity: The network with its conditioning and guidance.
        request: What the noise levels are made from.
        noise: The batch's noise; its first draw is the start.
        on_step: Called after every step.

    Returns:
        The clean latents, ``[batch, channels, latents]`` in float32.

    Raises:
        TypeError: The sampler inherits from none of the three classes of samplers.
    """
    levels = sampler.schedule(request)
    start = noise.normal()
    if isinstance(sampler, SigmaSampler):
        return sampler.sample(VDenoiser(velocity), start * levels[0], levels, noise, on_step)
    if isinstance(sampler, VSampler | FlowSampler):
        return sampler.sample(velocity, start, levels, noise, on_step)
    raise TypeError(f"{type(sampler).__name__} is none of SigmaSampler, VSampler, FlowSampler")
