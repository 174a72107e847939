"""Checkpoints: read without copying, unwrapped from training, loaded strictly."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiogen_core.errors import InputError, Problem
from audiogen_core.models.source import check_checkpoint_path

MAX_INDEX_BYTES = 4 * 2**20
"""What names the tensors of a file and says where they are: enough for thirty thousand."""

MAX_PICKLE_BYTES = 2**20
"""The same in a pickle, where it may be a program: torch runs one of this size in a second."""

EMA_OF_DIFFUSION = "diffusion_ema.ema_model."
EMA_OF_AUTOENCODER = "autoencoder_ema.ema_model."

FLOATS = frozenset(
    {
        torch.float64, torch.float32, torch.float16, torch.bfloat16,
        torch.float8_e4m3fn, torch.float8_e5m2,
    }
)  # fmt: skip
"""The types of numbers that weights may have; each can be converted to any other."""


AT_ONCE = 256 << 20
"""Bytes that are read before what was only converted or copied goes from memory."""

SMALL = 1 << 20
"""Bytes of tensors that are copied: each would keep all that was mapped with it."""


class Checkpoint(ABC):
    """The tensors of a file by name, before any is read into memory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of every tensor, by the name in the file."""

    @abstractmethod
    def tensor(self, name: str) -> Tensor:
        """A tensor by its name in the file, mapped from the disk where the format allows it.

        Raises:
            InputError: It is of a type that cannot be read.
        """

    @abstractmethod
    def release(self) -> None:
        """Gives back the memory of what was read and is used no more, where that is possible."""


class SafetensorsCheckpoint(Checkpoint):
    """A ``.safetensors`` file, memory-mapped.

    Raises:
        InputError: The file is broken.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        from safetensors import SafetensorError

        self._version = _version(path)

        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if MAX_INDEX_BYTES < header < path.stat().st_size:
            raise _too_many(path, MAX_INDEX_BYTES)
        try:
            self._file = _open_safetensors(path)
            self._shapes = {
                name: tuple(self._file.get_slice(name).get_shape())
                for name in self._file.keys()  # noqa: SIM118
            }
        except (SafetensorError, OSError, ValueError):
            raise _unreadable(path, "safetensors file") from None

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """From the file's header."""
        return self._shapes

    def tensor(self, name: str) -> Tensor:
        """A view of the mapped file."""
        from safetensors import SafetensorError

        try:
            tensor: Tensor = self._file.get_tensor(name)
        except SafetensorError:
            raise InputError(
                Problem(name, "holds numbers of a type that cannot be read"), str(self.path)
            ) from None
        return tensor

    def release(self) -> None:
        """Maps the file anew: pages that were read stay with a mapping as long as it lives.

        A file that was replaced meanwhile stays mapped as it was opened.
        """
        with suppress(Exception):
            opened = _open_safetensors(self.path)
            if _version(self.path) == self._version:
                self._file = opened


def _version(path: Path) -> tuple[int, ...]:
    """What changes where a file is replaced or written."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _open_safetensors(path: Path) -> Any:
    from safetensors import safe_open

    return safe_open(path, framework="pt")


class PickledCheckpoint(Checkpoint):
    """A ``.ckpt`` file of torch.save, read with ``weights_only``: it can run no code.

    Raises:
        InputError: The file is broken, or holds more than tensors and plain values.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._check_archive()
            with warnings.catch_warnings(action="ignore"):
                content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except InputError:
            raise
        except pickle.UnpicklingError:
            raise self._broken(
                "holds Python objects besides tensors, which are refused because reading them "
                "could run code; convert it to safetensors where you trust it"
            ) from None
        except Exception:  # a damaged archive raises what it likes
            raise _unreadable(path, "checkpoint of torch.save (PyTorch 1.6 or newer)") from None
        if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
            content = content["state_dict"]
        if not isinstance(content, dict) or not any(
            isinstance(value, Tensor) for value in content.values()
        ):
            raise self._broken("holds no tensors by name (a state_dict)")
        self._tensors = {
            str(name): value for name, value in content.items() if isinstance(value, Tensor)
        }
        if hollow := [name for name, tensor in self._tensors.items() if not _is_stored(tensor)]:
            what = "is no plain tensor with all of its numbers in the file"
            raise InputError([Problem(name, what) for name in hollow], str(path))

    def _check_archive(self) -> None:
        """Makes sure that reading the archive's pickle takes little memory and time.

        torch.save compresses nothing, so that what is in a file can be no larger than the file.
        """
        with _SmallReads(self.path) as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise self._broken("is a compressed archive, which torch.save writes none of")
            pickles = [entry for entry in entries if entry.filename.endswith("data.pkl")]
            if sum(entry.file_size for entry in pickles) > MAX_PICKLE_BYTES:
                raise _too_many(self.path, MAX_PICKLE_BYTES)
            content = b"".join(archive.read(entry) for entry in pickles)
        if any(name in content for name in _COSTLY_CALLS):
            raise pickle.UnpicklingError

    def _broken(self, what: str) -> InputError:
        return InputError(Problem("", what), str(self.path))

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Of the loaded tensors."""
        return {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def tensor(self, name: str) -> Tensor:
        """The loaded tensor."""
        return self._tensors[name]

    def release(self) -> None:
        """Nothing: all tensors are known by their place in one mapping."""


_COSTLY_CALLS = (b"bytearray\n", b"_codecs\nencode\n")
"""Functions that torch calls for a pickle, but that a few bytes can ask for gigabytes or hours."""


class _SmallReads(io.FileIO):
    """A file to read an archive's directory from, unless it is absurdly long."""

    def read(self, size: int | None = -1) -> bytes:
        most = MAX_INDEX_BYTES + 1
        data = super().read(most if size is None or size < 0 else min(size, most)) or b""
        if len(data) == most:
            raise zipfile.BadZipFile
        return data


def _is_stored(tensor: Tensor) -> bool:
    """Whether every number of a tensor is in the file: none is repeated, left out or made up."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _too_many(path: Path, most: int) -> InputError:
    what = f"names more tensors than fit into {most >> 20} MiB"
    return InputError(Problem("", what), str(path))


def _unreadable(path: Path, what: str) -> InputError:
    """The error for a file that no reader can make anything of."""
    with path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
    if not start:
        why = "is empty"
    elif start == _LFS_POINTER:
        why = "is a Git LFS pointer, not the checkpoint itself; run 'git lfs pull'"
    else:
        why = f"is cut short, damaged, or no {what}"
    return InputError(Problem("", why), str(path))


_LFS_POINTER = b"version https://git-lfs"


def open_checkpoint(path: Path) -> Checkpoint:
    """Opens a checkpoint by its ending.

    Raises:
        UsageError: There is no such file, or its ending is not known.
        InputError: The file is broken.
    """
    check_checkpoint_path(path)
    return SafetensorsCheckpoint(path) if path.suffix == ".safetensors" else PickledCheckpoint(path)


def model_names(names: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Maps tensor names of a model to those in a file, which may be a training checkpoint.

    A training wrapper keeps the model under ``diffusion.`` and the moving average of its
    network, which is the one to generate with, under ``diffusion_ema.ema_model.``.
    """
    if not any(name.startswith("diffusion.") for name in names):
        return {name: name for name in names}
    found = {
        name.removeprefix("diffusion."): name for name in names if name.startswith("diffusion.")
    }
    averaged = {
        f"model.{name.removeprefix(EMA_OF_DIFFUSION)}": name
        for name in names
        if name.startswith(EMA_OF_DIFFUSION)
    }
    return {**found, **averaged}


def autoencoder_names(names: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Maps tensor names of an autoencoder (``decoder.…``) to those in a file.

    The file may hold the autoencoder alone, a whole model with the autoencoder as its
    pretransform, or the training wrapper of either.
    """
    names_of_model = model_names(names)
    prefix = "pretransform.model."
    if any(name.startswith(prefix) for name in names_of_model):
        return {
            name.removeprefix(prefix): found
            for name, found in names_of_model.items()
            if name.startswith(prefix)
        }
    for wrapper in (EMA_OF_AUTOENCODER, "autoencoder."):
        if any(name.startswith(wrapper) for name in names):
            return {name.removeprefix(wrapper): name for name in names if name.startswith(wrapper)}
    return {name: name for name in names}


def load(
    checkpoint: Checkpoint,
    names: Mapping[str, str],
    modules: Mapping[str, nn.Module],
    *,
    device: torch.device,
    dtypes: Mapping[str, torch.dtype],
    unused: frozenset[str] = frozenset(),
) -> None:
    """Puts a checkpoint's tensors into modules that were built on the meta device.

    Args:
        checkpoint: Where the tensors come from.
        names: The model's tensor names mapped to the file's.
        modules: The modules by the prefix of their tensors' names.
        device: Where the tensors go.
        dtypes: The type of each module's floating-point tensors, by the same prefix.
        unused: Prefixes of modules whose tensors are checked but not loaded.

    Raises:
        InputError: Listing every tensor that is missing, unexpected or of another shape.
    """
    expected = {
        f"{prefix}{name}": tuple(tensor.shape)
        for prefix, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    shapes = checkpoint.shapes()
    found_shapes = {name: shapes[found] for name, found in names.items()}
    problems = _mismatches(expected, found_shapes)
    problems += [
        Problem(f"{prefix}{name}", f"holds {given.dtype}, expected floating-point numbers")
        for prefix, module in modules.items()
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point()
        and found_shapes.get(f"{prefix}{name}") == tuple(tensor.shape)
        and (given := checkpoint.tensor(names[f"{prefix}{name}"])).dtype not in FLOATS
    ]
    if problems:
        raise InputError(problems, f"{checkpoint.path}: does not fit the model config")
    read = 0
    for prefix, module in modules.items():
        if prefix in unused:
            continue
        state: dict[str, Tensor] = {}
        for name in module.state_dict():
            given = checkpoint.tensor(names[f"{prefix}{name}"])
            state[name] = _placed(given, device, dtypes[prefix])
            read += given.nbytes
            if read > AT_ONCE:
                module.load_state_dict(state, strict=False, assign=True)
                state, read = {}, 0
                del given
                checkpoint.release()
        module.load_state_dict(state, strict=False, assign=True)
        module.requires_grad_(requires_grad=False).eval()


def _placed(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A tensor where it belongs: the mapped one itself where that is large, and nothing changes."""
    placed = tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
    return placed.clone() if placed is tensor and tensor.nbytes < SMALL else placed


def _mismatches(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> list[Problem]:
    problems = [
        Problem(name, f"missing, expected {list(shape)}")
        for name, shape in expected.items()
        if name not in found
    ]
    problems += [
        Problem(name, f"unexpected, {list(shape)}")
        for name, shape in found.items()
        if name not in expected
    ]
    problems += [
        Problem(name, f"has the shape {list(found[name])}, expected {list(shape)}")
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    return problems
