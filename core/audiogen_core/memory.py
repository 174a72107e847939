"""Memory: how many outputs fit into what is free, and whether what is freed is kept."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from audiogen_core.models.model import Model
from audiogen_core.settings import Settings

CEILING = 16
"""Outputs a batch: by then an accelerator is busy, and the first files should not wait longer."""

CPU_LATENTS = 1024
"""Latents a batch on a CPU: with so many it is busy, and more would let the first file wait."""

SHARE = 0.5
"""How much of the free memory a batch may take. The other half is for decoding and for error."""

LARGEST_KEPT, KEPT = 2**26, 2**28
"""Bytes of a piece and in all that are kept for what is allocated next.

The pieces of a step of 1,024 latents and channels fit. Larger ones would add to a decoder's
peak, and go back to the system as they did before.
"""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""As malloc.h of glibc has them."""

LIVING = 3
"""How many activations as wide as the widest layer live at once, for every latent."""


def batch_limit(
    model: Model,
    settings: Settings,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> int:
    """How many outputs with these settings to sample together, at least 1.

    Each takes, for every latent, `LIVING` activations as wide as the network's widest layer, and
    twice that under guidance, which predicts with and without the prompt. Decoding goes output by
    output and takes nothing more for a larger batch.

    Args:
        model: The model.
        settings: How the outputs are sampled.
        device: Where its weights will be; where they are by default.
        dtype: Their type then.
    """
    device, dtype = device or model.device, dtype or model.dtype
    latents = settings.latents
    widths = [one.shape[0] for one in model.backbone.parameters() if one.dim() > 1]
    # Those of a linear layer in 8-bit integers are no parameters.
    linear = (one for one in model.backbone.modules() if isinstance(one, nn.Linear))
    width = max([*widths, *(one.out_features for one in linear)], default=1)
    guided = settings.generation.cfg_scale != 1
    bytes_each = sampling_bytes(latents, width, dtype, guided=guided)
    limit = CEILING
    if device.type == "cpu":
        limit = min(limit, CPU_LATENTS // latents)
    free = free_memory(device)
    limit = min(limit, 1 if free is None else int(free * SHARE) // bytes_each)
    return max(limit, 1)


def sampling_bytes(latents: int, width: int, dtype: torch.dtype, *, guided: bool) -> int:
    """What sampling one output takes besides the weights, by the estimate of `batch_limit`.

    Args:
        latents: The length of the latents.
        width: Of the network's widest layer.
        dtype: The type of its weights.
        guided: Whether it predicts with and without the prompt.
    """
    return latents * width * LIVING * (2 if guided else 1) * dtype.itemsize


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory: the device's, or the host's."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The host's allocator says so in words only, in others on Windows; so do Apple's, and the
    # libraries of NVIDIA that allocate for themselves.
    words = (
        "DefaultCPUAllocator",
        "MPS backend out of memory",
        "CUDA error: out of memory",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED",
    )
    return isinstance(error, RuntimeError) and any(one in str(error) for one in words)


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on a device; None where nobody knows."""
    if device.type == "cuda":
        # What torch keeps of what it has freed is free.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    if device.type == "xpu":
        return int(torch.xpu.mem_get_info(device)[0])
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return _free_main_memory()


def _free_main_memory() -> int | None:
    """What the system and, on Linux, the control group of this process have left."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    free = kibibytes["MemAvailable"] * 1024
    try:
        group = Path("/sys/fs/cgroup")
        limit, used, stat = (
            (group / f"memory.{name}").read_text(encoding="ascii")
            for name in ("max", "current", "stat")
        )
    except OSError:
        return free
    if limit.strip() == "max":
        return free
    # What is kept of files, such as the checkpoint's pages, makes room where it is needed.
    kept = dict(line.split() for line in stat.splitlines())
    files = int(kept["active_file"]) + int(kept["inactive_file"])
    return min(free, int(limit) - int(used) + files)


def keep_freed() -> None:
    """Lets glibc keep freed memory, for what is allocated next, until `give_back`.

    By itself it gives large pieces back to the system at once. A step of sampling allocates what
    the one before has freed, and the system would clear every page of it again. It holds for the
    whole process: for pieces of up to `LARGEST_KEPT` bytes, and for `KEPT` at the heap's end.
    """
    _glibc("mallopt", M_MMAP_THRESHOLD, LARGEST_KEPT)
    _glibc("mallopt", M_TRIM_THRESHOLD, KEPT)


def give_back() -> None:
    """Gives freed memory back to the system that glibc keeps."""
    _glibc("malloc_trim", 0)


def _glibc(function: str, *arguments: int) -> None:
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library keeps less, or knows better
            getattr(ctypes.CDLL(None), function)(*arguments)
