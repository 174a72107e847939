"""The repeated blocks of a network, compiled by `torch.compile`: one block's code serves them all.

What is compiled stays in the user's cache folder, so that only the first process has to wait.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import torch
from torch import nn

from audiogen_core.errors import UsageError
from audiogen_core.storage.address import cache_folder

CACHE = "TORCHINDUCTOR_CACHE_DIR"
"""The variable of torch that says where to keep what is compiled."""


def check_compilation(device: torch.device) -> None:
    """Makes sure that `torch.compile` works, by compiling next to nothing.

    Args:
        device: Where the network will compute.

    Raises:
        UsageError: It does not: the compiler that it needs is no part of torch.
    """
    # By itself torch keeps it in a folder for temporary files, which other users may write to.
    os.environ[CACHE] = os.environ.get(CACHE) or str(cache_folder() / "compiled")
    try:
        torch.compile(_square)(torch.ones(8, device=device))
    except Exception as error:
        needs = "a C++ compiler, such as g++" if device.type == "cpu" else "Triton"
        raise UsageError(
            f"--compile: torch.compile does not work here, for which torch needs {needs} "
            f"({_first_line(error)})"
        ) from error


def compile_blocks(network: nn.Module) -> None:
    """Lets the repeated blocks of a network be compiled, each when it is first called.

    Args:
        network: Its blocks are what stands in lists of modules. Without any, it is compiled whole.
    """
    for block in list(_blocks(network)) or [network]:
        block.compile()


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(module, nn.ModuleList) and not isinstance(child, nn.ModuleList):
            yield child
        else:
            yield from _blocks(child)


def _first_line(error: Exception) -> str:
    """What went wrong, without torch's advice to its developers."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _square(x: torch.Tensor) -> torch.Tensor:
    return x * x
