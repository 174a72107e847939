"""Reads a config in whichever format its file's ending names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from audiogen_core.strict_data import read_file
from audiogen_core.strict_json import parse_json
from audiogen_core.strict_toml import parse_toml
from audiogen_core.strict_yaml import parse_yaml

Parser: TypeAlias = Callable[[bytes, str, str], Any]
"""Takes a file's bytes, its name for messages, and what it is; returns the data."""

PARSERS: Mapping[str, Parser] = {
    ".json": parse_json,
    ".toml": parse_toml,
    ".yaml": parse_yaml,
    ".yml": parse_yaml,
}
"""The formats by file ending."""


def read_config_file(path: Path, what: str = "generation config") -> Any:
    """Reads a file as JSON, TOML or YAML by its ending, and as JSON with any other ending.

    Args:
        path: The file.
        what: What it is, for the message.

    Raises:
        InputError: It cannot be read, is not well formed, or holds what no config can hold: keys
            twice in one object, numbers that are not finite, dates, more than 64 levels.
    """
    parse = PARSERS.get(path.suffix.lower(), parse_json)
    return parse(read_file(path, what), str(path), what)
