"""Reads JSON that people write: every silent trap of the format is an error with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from audiogen_core.errors import InputError, Problem
from audiogen_core.strict_data import (
    Refused,
    check_data,
    decode,
    float_of,
    int_of,
    read_file,
    too_deep,
)

_NO_NUMBERS = {
    name: Refused(f"{name} is not a JSON number") for name in ("NaN", "Infinity", "-Infinity")
}
_TWICE = Refused("appears twice in one object")


def read_json(path: Path, what: str) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.
        what: What it is, for the message: ``generation config``.

    Raises:
        InputError: It cannot be read or is not strict JSON, with every place.
    """
    return parse_json(read_file(path, what), str(path), what)


def parse_json(data: bytes, source: str, what: str) -> Any:
    """Parses strict JSON: UTF-8, no duplicate keys, no NaN, no infinity, whole characters.

    Raises:
        InputError: With line and column, or with the JSON path of everything that is wrong.
    """
    text = decode(data, source, what)
    try:
        parsed = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        why = error.msg.removesuffix(" starting at").removesuffix(" at")
        why = why[:1].lower() + why[1:]
        raise InputError(Problem(place, f"not valid JSON: {why}"), source) from None
    except RecursionError:
        raise too_deep(source, what) from None
    return check_data(parsed, source, what)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _TWICE if key in found else value
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_NO_NUMBERS.__getitem__,
    parse_float=float_of,
    parse_int=int_of,
)
