"""Float32 linear layers by oneDNN, which comes with PyTorch: on CPUs, the faster matrix products.

PyTorch itself asks MKL for products in float32. They are sums in another order, and as exact.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
"""Asked once: compiled code cannot ask."""

SMALLEST = 2**14
"""Layers with fewer weights cost no time worth saving."""


def linear_layers(module: nn.Module) -> list[tuple[nn.Module, str, nn.Linear]]:
    """The linear layers of a module that are worth replacing, with their parents and names."""
    return [
        (parent, name, child)
        for parent in module.modules()
        for name, child in parent.named_children()
        # Subclasses may compute something else.
        if type(child) is nn.Linear and child.weight.numel() >= SMALLEST
    ]


def make_fast(module: nn.Module) -> None:
    """Lets `linear` multiply in the linear layers of a module.

    Args:
        module: Its weights stay what and where they are. Others than float32 on a CPU are
            multiplied as before.
    """
    for _, _, child in linear_layers(module):
        child.__class__ = FastLinear  # it keeps its parameters, and hooks that others have set


class FastLinear(nn.Linear):
    """A linear layer whose float32 products on a CPU are oneDNN's."""

    def forward(self, x: Tensor) -> Tensor:
        """``[..., in]`` to ``[..., out]``."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, by oneDNN where torch has it and nothing is learned.

    Args:
        x: ``[..., in]``.
        weight: ``[out, in]``.
        bias: ``[out]``.

    Returns:
        ``[..., out]``.
    """
    ours = weight.device.type == "cpu" and x.dtype == weight.dtype == torch.float32
    # oneDNN's product has no derivative.
    learned = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    if not ours or learned or not HAS_ONEDNN:
        return functional.linear(x, weight, bias)
    return _opaque(x, weight, bias) if torch.compiler.is_compiling() else _product(x, weight, bias)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # noqa: SLF001
    return product


# Compiled code calls it as it is: torch's compiler takes it for one whose weights were packed.
_opaque = torch.library.custom_op("audiogen::linear", _product, mutates_args=())


@_opaque.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    del bias
    return x.new_empty((*x.shape[:-1], len(weight)))
