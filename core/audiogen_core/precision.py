"""How exactly to compute: what ``--dtype`` and ``--quantize`` may be. It imports no torch."""

from __future__ import annotations

from enum import StrEnum


class Precision(StrEnum):
    """The type of the weights; ``auto`` is 16 bits where the device is faster in them."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Quantization(StrEnum):
    """What the weights and inputs of the diffusion network's linear layers are rounded to."""

    INT8 = "int8"
