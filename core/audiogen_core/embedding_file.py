"""Checks ``.npy`` files by their headers, so that nothing large is read before it is known good."""

from __future__ import annotations

import io
import math
import stat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audiogen_core.options import shown

MAX_HEADER_BYTES = 16 * 2**10
"""Numpy writes headers of 128 bytes, and reads none of more than 10,000 characters."""

MAX_DATA_BYTES = 64 * 2**20
"""An embedding takes a few hundred bytes a second of audio, so this is hours."""

HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    # It differs from the second in nothing but the names of fields, which no embedding has.
    (3, 0): np.lib.format.read_array_header_2_0,
}
"""By the versions of the format that numpy reads."""

FLOAT_BYTES = (2, 4, 8)
"""The sizes of the floating-point types that every machine has, in bytes."""


def read_header(path: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type of the array in a ``.npy`` file.

    Raises:
        ValueError: There is no such file, it is no ``.npy`` file or of an unknown version, it holds
            Python objects, it is shorter than its header says or larger than `MAX_DATA_BYTES`.
    """
    if not isinstance(path, str) or not path:
        raise ValueError(f"must be the path of a .npy file, not {shown(path)}")
    file = Path(path)
    if (what := _not_a_file(file)) is not None:
        raise ValueError(f"'{path}' {what}")
    try:
        with file.open("rb") as stream:
            # No more than this, whatever length the header claims for itself.
            start = io.BytesIO(stream.read(MAX_HEADER_BYTES))
            shape, _, dtype = HEADER_READERS[np.lib.format.read_magic(start)](start)
            left = file.stat().st_size - start.tell()
    except FileNotFoundError:
        raise ValueError(f"file '{path}' does not exist") from None
    except OSError as error:
        raise ValueError(f"file '{path}' cannot be read: {error.strerror}") from None
    except Exception:  # numpy parses the header as Python: a broken one raises what it likes
        raise ValueError(f"file '{path}' is not a .npy file") from None
    if dtype.hasobject:
        raise ValueError(f"file '{path}' holds Python objects, which are refused")
    if any(type(length) is not int or length < 0 for length in shape):  # True is none
        raise ValueError(f"file '{path}' is not a .npy file")
    if left < (size := math.prod(shape, start=dtype.itemsize)):
        raise ValueError(f"file '{path}' is cut short: {left} bytes of data, {size} expected")
    if size > MAX_DATA_BYTES:
        raise ValueError(f"file '{path}' holds more than {MAX_DATA_BYTES >> 20} MiB")
    return shape, dtype


def _not_a_file(path: Path) -> str | None:
    """What stands at a path where a file should, so that no pipe is waited for."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None  # opening it says why
    if stat.S_ISDIR(mode):
        return "is a folder, not a .npy file"
    return None if stat.S_ISREG(mode) else "is no regular file"


def check_embedding_file(path: Any) -> None:
    """Raises a ValueError unless ``path`` is a ``.npy`` file of a finite float array."""
    shape, dtype = read_header(path)
    if dtype.kind != "f" or dtype.itemsize not in FLOAT_BYTES:
        raise ValueError(
            f"file '{path}' must hold float16, float32 or float64 numbers, not {dtype}"
        )
    if 0 in shape or not shape:
        raise ValueError(f"file '{path}' holds an empty array, shape {list(shape)}")
    if not np.isfinite(read_floats(path)).all():
        raise ValueError(f"file '{path}' holds NaN or infinity")


def read_floats(path: str) -> npt.NDArray[np.float32]:
    """The array of a checked file in float32; what is too large for it becomes infinite."""
    with np.errstate(over="ignore"):
        values: npt.NDArray[np.float32] = np.load(path, allow_pickle=False).astype(
            np.float32, order="C"
        )
    return values
