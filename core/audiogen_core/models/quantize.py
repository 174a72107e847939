"""Linear layers in 8-bit integers: faster on CPUs, and a quarter of the memory.

oneDNN, which comes with PyTorch, multiplies. The weights are rounded once, with a scale for each
output channel; the inputs at each call, with a scale for each sample, so that none depends on its
neighbours in a batch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_core.errors import UsageError
from audiogen_core.models.linear import linear_layers


def check_quantization(device: torch.device, dtype: torch.dtype) -> None:
    """Makes sure that a model can compute in 8-bit integers.

    Args:
        device: Where it would.
        dtype: The type of what is not rounded.

    Raises:
        UsageError: It cannot.
    """
    if device.type != "cpu":
        raise UsageError(
            f"--quantize: int8 is for CPUs, not for '{device}': leave it out, or add --device cpu"
        )
    if dtype != torch.float32:
        raise UsageError("--quantize: int8 goes with --dtype float32, not with 16 bits")
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        raise UsageError("--quantize: this torch is built without oneDNN, which int8 needs")


def quantize(module: nn.Module) -> None:
    """Replaces the linear layers of a module, but for small ones.

    Args:
        module: On the CPU, with float32 weights; or on the meta device, to be rounded tensor by
            tensor while they are loaded.
    """
    for parent, name, child in linear_layers(module):
        setattr(parent, name, QuantizedLinear(child))


class QuantizedLinear(nn.Linear):
    """A linear layer with weights and inputs rounded to 8-bit integers.

    Its ``weight`` has a shape, and no numbers, and is no parameter once it is loaded.

    Args:
        linear: The layer that it replaces.
    """

    def __init__(self, linear: nn.Linear) -> None:
        biased = linear.bias is not None
        super().__init__(linear.in_features, linear.out_features, biased, device="meta")
        # Without VNNI, two products are added in 16 bits, which those of 8 bits overflow.
        self._levels = 255 if _has_vnni() else 127
        if not linear.weight.is_meta:
            self._pack(linear.weight)
            self.bias = linear.bias

    def _pack(self, weight: Tensor) -> None:
        weight = weight.detach()
        self._scales = (weight.abs().amax(1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
        rounded = (weight / self._scales[:, None]).round_().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(rounded, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        # A network asks its parameters which device it is on.
        del self._parameters["weight"]
        self.weight = torch.empty_like(weight, device="meta")

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool,
        missing: list[str], unexpected: list[str], errors: list[str],
    ) -> None:  # fmt: skip
        """Rounds a weight that is loaded."""
        key = f"{prefix}weight"
        others = {name: one for name, one in state_dict.items() if name != key}
        super()._load_from_state_dict(others, prefix, metadata, strict, missing, unexpected, errors)
        if key in state_dict:
            missing.remove(key)
            self._pack(state_dict[key])

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, ..., in]`` to ``[batch, ..., out]``, float32."""
        if x.is_meta:
            return functional.linear(x, self.weight)
        if len(x) == 1:
            return self._one(x)
        return torch.cat([self._one(sample[None]) for sample in x])

    def _one(self, x: Tensor) -> Tensor:
        """``[..., in]``, which share a scale."""
        low, high = (float(one) for one in torch.aminmax(x))
        if not (math.isfinite(low) and math.isfinite(high)):
            return x.new_full((*x.shape[:-1], self.out_features), math.nan)
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / self._levels or 1.0
        zero = round(-low / scale)
        # Converting cuts off, and so rounds to the nearest what is a half larger.
        shifted = torch.add(torch.tensor(zero + 0.5), x, alpha=1 / scale)
        rounded = shifted.clamp_(0, self._levels).to(torch.uint8)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            rounded, scale, zero, self._packed, self._scales, self._zeros, self.bias,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return product


def _has_vnni() -> bool:
    # Older versions of torch do not tell; then nothing is certain.
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(name) for name in ("avx512_vnni", "avx_vnni"))
