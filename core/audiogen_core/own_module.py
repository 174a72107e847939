"""Runs a module of this package as a process of its own, which finds what this one finds."""

from __future__ import annotations

import os
import sys


def command(module: str, *arguments: str) -> list[str]:
    """What starts it.

    Not from the working directory (``-P``), where anything may be called like a library.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """This process's, and the places that it imports from."""
    places = [os.environ.get("PYTHONPATH"), *sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in places if one)}
