"""Reads the generation configs that commands are given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from audiogen_core.config import GenerationConfig, parse_config
from audiogen_core.config_file import read_config_file
from audiogen_core.errors import UsageError
from audiogen_core.overrides import NOTHING, Overrides
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.strict_data import MAX_BYTES
from audiogen_core.strict_json import parse_json


def read_config(
    path: Path,
    plugins: PluginManager,
    given_as: str = "-",
    overrides: Overrides = NOTHING,
) -> GenerationConfig:
    """Reads a config file by its ending, or JSON from standard input for ``-``, and checks it.

    Args:
        path: The file, or ``-``.
        plugins: Where the named plugins come from.
        given_as: The argument that says ``-``, for messages.
        overrides: What takes the place of its values.

    Raises:
        AudiogenError: It cannot be read or is wrong, with every place.
    """
    if str(path) == "-":
        origin = "standard input"
        data = parse_json(_standard_input(given_as), origin, "generation config")
    else:
        origin = str(path)
        data = read_config_file(path)
    return build_config(data, plugins, origin, overrides)


def build_config(
    data: Any, plugins: PluginManager, origin: str, overrides: Overrides
) -> GenerationConfig:
    """Checks a config's data with overrides in it, as one.

    Raises:
        InputError: It is wrong, with every place, and the argument that a value came from.
    """
    data = overrides.applied(data)
    with overrides.explained():
        return parse_config(data, plugins, origin)


def _standard_input(given_as: str) -> bytes:
    """Everything that stands in it, up to one byte more than a config may have.

    Raises:
        UsageError: It is closed, or cannot be read.
    """
    if sys.stdin is None:
        raise UsageError(f"{given_as}: standard input is closed")
    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{given_as}: standard input cannot be read: {error.strerror}") from None
