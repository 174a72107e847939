"""Classifier-free guidance: a backbone with its conditioning, seen as a plain velocity model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from audiogen_core.interfaces.backbone import Backbone, BackboneInputs


@dataclass(frozen=True)
class Guidance:
    """How strongly, and at which noise levels, the prompt is followed.

    Attributes:
        scale: 1 leaves the conditional prediction as it is.
        interval: The noise levels between which guidance applies, ends included.
        rescale: How far the guided prediction is brought back to the spread of the
            conditional one (Lin et al. 2023, "Common diffusion noise schedules and sample steps
            are flawed", arXiv:2305.08891, section 3.4), from 0 to 1.
    """

    scale: float
    interval: tuple[float, float] = (0.0, 1.0)
    rescale: float = 0.0


class GuidedModel:
    """A backbone with conditioning and guidance applied (Ho and Salimans 2022, arXiv:2207.12598).

    Both predictions come from one forward pass over a doubled batch. The unconditional half has
    zeros, or the negative prompt's tokens, for the prompt, and the same global embedding.

    Args:
        backbone: The network.
        inputs: The batch's conditioning.
        negative: Cross-attention tokens of the negative prompts, ``[batch, tokens, dim]``.
        guidance: Scale, interval and rescaling.
        objective: What the network predicts; it decides what noise level a time stands for.
    """

    def __init__(
        self,
        backbone: Backbone,
        inputs: BackboneInputs,
        negative: Tensor | None,
        guidance: Guidance,
        objective: str,
    ) -> None:
        self._backbone = backbone
        self._plain = inputs
        self._guidance = guidance
        self._objective = objective
        self._dtype = next((one.dtype for one in backbone.parameters()), torch.float32)
        guidable = inputs.cross_attention is not None or inputs.prepend is not None
        self._doubled = _doubled(inputs, negative) if guidable and guidance.scale != 1 else None

    @cached_property
    def _conditional(self) -> BackboneInputs:
        return self._backbone.prepared(self._plain)

    @cached_property
    def _both(self) -> BackboneInputs | None:
        return None if self._doubled is None else self._backbone.prepared(self._doubled)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The guided velocity; see `audiogen_core.interfaces.sampler.VelocityModel`."""
        return self.with_unconditional(x, t)[0]

    def with_unconditional(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The guided velocity, and the unconditional one where guidance applies."""
        times = _times(t, x)
        applies = self._applies(t)
        # Where samples stand at different times, all go through both halves: whether another one
        # is inside the interval must not decide what a sample is computed with.
        if self._both is None or not (t.numel() > 1 or applies.any()):
            velocity = self._predict(x, times, self._conditional)
            return velocity, velocity
        both = self._predict(torch.cat([x, x]), torch.cat([times, times]), self._both)
        conditional, unconditional = both.chunk(2)
        guided = unconditional + (conditional - unconditional) * self._guidance.scale
        if self._guidance.rescale:
            guided = self._rescaled(guided, conditional)
        if not applies.all():
            # Samples of a batch may stand at different times: some inside, some outside.
            inside = applies.to(x.device).view(-1, 1, 1)
            guided = guided.where(inside, conditional)
            unconditional = unconditional.where(inside, conditional)
        return guided, unconditional

    def _applies(self, t: Tensor) -> Tensor:
        low, high = self._guidance.interval
        level = (t * math.pi / 2).sin() if self._objective == "v" else t
        return (low <= level) & (level <= high)

    def _rescaled(self, guided: Tensor, conditional: Tensor) -> Tensor:
        ratio = conditional.std(dim=1, keepdim=True) / guided.std(dim=1, keepdim=True)
        strength = self._guidance.rescale
        return strength * (guided * ratio) + (1 - strength) * guided

    def _predict(self, x: Tensor, t: Tensor, inputs: BackboneInputs) -> Tensor:
        velocity: Tensor = self._backbone(x.to(self._dtype), t.to(self._dtype), inputs)
        return velocity.float()


def _times(t: Tensor, x: Tensor) -> Tensor:
    """The time of each sample, ``[batch]`` in float32, beside ``x``."""
    if t.dim() == 0 and t.device.type == "cpu":
        # A value that is known here is filled in there, which need not wait for the device.
        return torch.full(x.shape[:1], float(t), device=x.device)
    return t.to(x.device, torch.float32).expand(x.shape[0])


def _doubled(inputs: BackboneInputs, negative: Tensor | None) -> BackboneInputs:
    """The conditional inputs followed by the unconditional ones, along the batch."""

    def pair(first: Tensor | None, second: Tensor | None) -> Tensor | None:
        return None if first is None or second is None else torch.cat([first, second])

    def zeros(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else torch.zeros_like(tensor)

    cross = inputs.cross_attention
    return replace(
        inputs,
        cross_attention=pair(cross, zeros(cross) if negative is None else negative),
        global_embedding=pair(inputs.global_embedding, inputs.global_embedding),
        prepend=pair(inputs.prepend, zeros(inputs.prepend)),
        input_concat=pair(inputs.input_concat, inputs.input_concat),
    )
