"""Makes a plain safetensors file of any checkpoint that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from audiogen_core.errors import AudiogenError, InputError, Problem, UsageError
from audiogen_core.models.checkpoint import (
    EMA_OF_AUTOENCODER,
    FLOATS,
    Checkpoint,
    autoencoder_names,
    model_names,
    open_checkpoint,
)
from audiogen_core.publishing import publish

AUTOENCODER_WRAPPERS = ("autoencoder.", EMA_OF_AUTOENCODER)


@dataclass(frozen=True)
class Converted:
    """What came of a conversion.

    Attributes:
        tensors: How many were written.
        left_out: How many belonged to training alone.
        bytes: The size of the file.
    """

    tensors: int
    left_out: int
    bytes: int


def convert(
    source: Path, target: Path, dtype: torch.dtype | None = None, *, overwrite: bool = False
) -> Converted:
    """Writes the tensors that generating needs into a safetensors file, whole or not at all.

    Of a training wrapper's checkpoint, the model is taken, with the moving average of its network
    where there is one. What was written is read again and compared before it gets its name.

    Args:
        source: The checkpoint.
        target: The file to write.
        dtype: The type of floating-point numbers; as they are for None.
        overwrite: Whether a file that exists is replaced.

    Raises:
        UsageError: ``target`` is no path to write to, or stands already.
        InputError: The checkpoint is broken, or holds numbers that ``dtype`` has not.
        AudiogenError: Writing failed.
    """
    _check_target(target, overwrite=overwrite)
    checkpoint = open_checkpoint(source)
    shapes = checkpoint.shapes()
    names = _names(shapes)
    tensors = _converted(checkpoint, names, dtype)

    from safetensors import SafetensorError
    from safetensors.torch import save_file

    def write(path: Path) -> None:
        save_file(tensors, path, metadata={"format": "pt"})
        _check_written(path, tensors)

    try:
        publish(target, write)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudiogenError(f"{target}: cannot be written: {reason}") from None
    return Converted(len(names), len(shapes) - len(names), target.stat().st_size)


def _check_target(target: Path, *, overwrite: bool) -> None:
    if target.suffix != ".safetensors":
        raise UsageError(f"{target}: must end in .safetensors")
    try:
        if not target.parent.is_dir():
            raise UsageError(f"{target}: there is no folder '{target.parent}'")
        there = target.exists() or target.is_symlink()
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from None
    if target.is_dir() or (there and not overwrite):
        hint = "" if target.is_dir() else "; --overwrite replaces it"
        raise UsageError(f"{target}: exists already{hint}")


def _names(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """The tensors to keep by the names that the model has for them."""
    if any(name.startswith(AUTOENCODER_WRAPPERS) for name in shapes):
        return autoencoder_names(shapes)
    return model_names(shapes)


def _converted(
    checkpoint: Checkpoint, names: Mapping[str, str], dtype: torch.dtype | None
) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    problems = []
    memory: set[int] = set()
    for name, found in names.items():
        given = checkpoint.tensor(found)
        tensor = given.to(dtype) if dtype is not None and given.dtype in FLOATS else given
        if tensor is not given and _overflows(given, tensor):
            what = f"holds numbers that are too large for {str(dtype).removeprefix('torch.')}"
            problems.append(Problem(found, f"{what}; use bfloat16"))
        tensor = tensor.contiguous()
        # A safetensors file has every tensor for itself.
        storage = tensor.untyped_storage()
        if storage.data_ptr() in memory or storage.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        memory.add(tensor.untyped_storage().data_ptr())
        tensors[name] = tensor
    if problems:
        raise InputError(problems, str(checkpoint.path))
    return tensors


def _overflows(given: Tensor, tensor: Tensor) -> bool:
    infinite = tensor.float().isinf()  # float8 has no such test
    return bool(infinite.any()) and bool((infinite & ~given.float().isinf()).any())


def _check_written(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Compares a file with what it shall hold.

    Raises:
        OSError: It differs: the disk, or the memory, is broken.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        same = set(file.keys()) == set(tensors) and all(
            _equal(file.get_tensor(name), tensor) for name, tensor in tensors.items()
        )
    if not same:
        raise OSError("what was written does not come back the same")


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same to the last bit, NaN included."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    flat = (tensor.reshape(-1).view(torch.uint8) for tensor in (one, other))
    return torch.equal(*flat)
