"""``audiogen models convert``: a plain safetensors file of any checkpoint."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from audiogen_core.terminal import tell


class FloatType(StrEnum):
    """The types that floating-point numbers may be written in."""

    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


def convert_checkpoint(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A .safetensors or .ckpt file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
    dtype: Annotated[
        FloatType | None, typer.Option(help="Type of the numbers; as they are by default.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUT where it exists.")
    ] = False,
) -> None:
    """Convert a checkpoint to a plain safetensors file that holds what generating needs.

    A training run's checkpoint is unwrapped: its model is taken, with the moving average of its
    network. The file appears once it is whole, and was read again.
    """
    import torch

    from audiogen_core.models.convert import convert
    from audiogen_core.sizes import size

    wanted: torch.dtype | None = None if dtype is None else getattr(torch, dtype)
    made = convert(source, target, wanted, overwrite=overwrite)
    sys.stdout.write(f"{target}\n")
    left_out = f", {made.left_out} of training left out" if made.left_out else ""
    tell(f"{made.tensors} tensors, {size(made.bytes)}{left_out}")
