"""The devices to compute on: what they are, what is free, and which numbers they are fast in."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from audiogen_core.devices import available_devices, half_type
from audiogen_core.doctor.findings import Finding, Mark, ok, warning
from audiogen_core.memory import free_memory
from audiogen_core.registry import describe
from audiogen_core.sizes import size

LOW_MEMORY = 2**30
"""The default model with its libraries takes about so many bytes."""

WIDTH, DEVICE_WIDTH = 512, 4096
"""Of the matrices that are multiplied to see how fast a device is in a type of numbers."""

ATTEMPTS = 5


def hardware() -> Iterator[Finding]:
    """Looks at every device, and multiplies matrices on it."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    instructions = torch.backends.cpu.get_cpu_capability()
    yield ok(
        "CPU",
        f"{_processor()}, {usable} of {os.cpu_count()} cores usable, {instructions}",
        {"cores": os.cpu_count(), "usable_cores": usable, "instructions": instructions},
    )
    yield _memory("memory", torch.device("cpu"), _main_memory())
    found = available_devices()
    if found == ["cpu"]:
        yield _no_accelerator(torch.__version__)
    for kind in reversed(found):
        count = torch.cuda.device_count() if kind == "cuda" else 1
        for index in range(count):
            name = f"{kind}:{index}" if count > 1 else kind
            device = torch.device(name)
            if kind == "cuda":
                major, minor = torch.cuda.get_device_capability(device)
                text = f"{torch.cuda.get_device_name(device)}, compute capability {major}.{minor}"
                yield ok(name, text, {"name": torch.cuda.get_device_name(device)})
                yield _memory(f"{name} memory", device, torch.cuda.mem_get_info(device)[1])
            elif kind != "cpu":
                yield ok(name, "is available")
                yield _memory(f"{name} memory", device, None)
            yield _speed(f"{name} speed", device)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _main_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _memory(name: str, device: torch.device, total: int | None) -> Finding:
    free = free_memory(device)
    value = {"free": free, "total": total}
    if free is None:
        return ok(name, "nobody knows how much is free here", value)
    text = f"{size(free)} free" + (f" of {size(total)}" if total is not None else "")
    if free < LOW_MEMORY:
        hint = "End other programs, or name another device with --device."
        return warning(name, text, hint, value)
    return ok(name, text, value)


def _no_accelerator(torch_version: str) -> Finding:
    if shutil.which("nvidia-smi") is None:
        return ok("accelerator", "none: everything is computed on the CPU")
    what = f"there is an NVIDIA driver, but PyTorch {torch_version} finds no device to use"
    hint = "Install a PyTorch for the CUDA version of the driver: https://pytorch.org/get-started"
    return warning("accelerator", what, hint)


def _speed(name: str, device: torch.device) -> Finding:
    """How fast a device is in the types that weights may have, by real products of matrices."""
    found: dict[str, float] = {}
    notes = []
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        label = str(dtype).removeprefix("torch.")
        try:
            found[label] = _gigaflops(device, dtype)
        except Exception as error:  # a device may lack a type, or work in none
            notes.append(f"{label} fails ({describe(error)})")
    text = ", ".join(f"{label} {speed:.3g}" for label, speed in found.items())
    half = str(half_type(device)).removeprefix("torch.")
    if "float32" not in found:
        return Finding(Mark.WARNING, name, "; ".join(notes), "Name another with --device.", found)
    faster = half in found and found[half] > found["float32"]
    verdict = f"--model-half ({half}) is {'faster' if faster else 'no faster'} here"
    return ok(name, "; ".join([f"{text} GFLOP/s", verdict, *notes]), found)


def _gigaflops(device: torch.device, dtype: torch.dtype) -> float:
    """Of the fastest of several products of two matrices."""
    width = WIDTH if device.type == "cpu" else DEVICE_WIDTH
    matrix = torch.ones(width, width, device=device, dtype=dtype)
    seconds = []
    for _ in range(ATTEMPTS + 1):
        began = time.perf_counter()
        product = matrix @ matrix
        float(product[0, 0])  # waits for it
        seconds.append(time.perf_counter() - began)
    return 2 * width**3 / min(seconds[1:]) / 1e9
