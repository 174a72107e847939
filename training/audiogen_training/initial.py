"""How the weights start."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator, *, residual: float = 1.0) -> None:
    """Draws every parameter of a module of the audio model, by its name and shape.

    Weights are normal with a deviation of one over the root of their inputs; weight norms keep
    that scale; norms start at 1; biases, snake parameters, modulations and what ends a residual
    branch start at 0, so that a deep network begins as a shallow one.

    Args:
        module: Built by the plugins, its values of no meaning yet.
        generator: Where numbers come from.
        residual: What the last layers of the autoencoder's residual units are scaled by.
    """
    parameters = dict(module.named_parameters())
    for name, one in parameters.items():
        last = name.rpartition(".")[2]
        if last == "weight_g":
            continue
        if last in {"bias", "alpha", "beta", "to_scale_shift_gate"} or _ends_a_branch(name):
            one.zero_()
        elif last == "weights":
            # Frequencies of a number from 0 to 1: the finest tell a tenth of a second in 512 apart.
            signs = torch.randn(one.shape, generator=generator).sign()
            one.copy_(signs * 100 ** torch.rand(one.shape, generator=generator))
        elif last == "gamma" or "norm.weight" in name:
            one.fill_(1)
        else:
            fan_in = 1 if last == "memory_tokens" else math.prod(one.shape[1:])
            one.copy_(torch.randn(one.shape, generator=generator) / math.sqrt(fan_in))
    for name, one in parameters.items():
        if name.endswith("weight_g"):
            direction = parameters[f"{name[:-2]}_v"]
            one.copy_(_norms(direction))
            if ".layers.3.weight_g" in name:
                one.mul_(residual)


def _ends_a_branch(name: str) -> bool:
    endings = (
        "to_out.weight",
        "ff.ff.2.weight",
        "preprocess_conv.weight",
        "postprocess_conv.weight",
        "global_cond_embedder.2.weight",
    )
    return name.endswith(endings)


def _norms(direction: Tensor) -> Tensor:
    dims = tuple(range(1, direction.dim()))
    norms: Tensor = torch.linalg.vector_norm(direction, dim=dims, keepdim=True)
    return norms
