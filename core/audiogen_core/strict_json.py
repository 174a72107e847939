"""Reads JSON that people write: every silent trap of the format is an error with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from audiogen_core.errors import InputError, Problem

MAX_BYTES = 64 * 1024 * 1024
"""A larger file is no config."""


def read_json(path: Path, what: str) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.
        what: What it is, for the message: ``generation config``.

    Raises:
        InputError: It cannot be read or is not strict JSON: with line and column.
    """
    try:
        if path.is_dir():
            raise InputError(Problem("", f"{what} is a folder, not a file"), str(path))
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                Problem("", f"{what} is {size} bytes, more than {MAX_BYTES}"), str(path)
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(Problem("", f"{what} does not exist"), str(path)) from None
    except OSError as error:
        raise InputError(
            Problem("", f"{what} cannot be read: {error.strerror}"), str(path)
        ) from None
    return parse_json(data, str(path), what)


def parse_json(data: bytes, source: str, what: str) -> Any:
    """Parses strict JSON: UTF-8, no duplicate keys, no NaN, no infinity.

    Raises:
        InputError: With line and column, or with the duplicate key.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            Problem("", f"{what} is not UTF-8 text (byte {error.start})"), source
        ) from None
    if not text.strip():
        raise InputError(Problem("", f"{what} is empty"), source)

    def refuse_constant(name: str) -> NoReturn:
        raise InputError(Problem("", f"{name} is not a JSON number"), source)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise InputError(Problem("", f"key '{key}' appears twice in one object"), source)
            found[key] = value
        return found

    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(Problem(place, f"not valid JSON: {error.msg}"), source) from None
    except RecursionError:
        raise InputError(Problem("", f"{what} is nested too deeply"), source) from None
    except ValueError:
        # Python refuses integers of more than 4,300 digits.
        raise InputError(Problem("", "a whole number has too many digits"), source) from None
