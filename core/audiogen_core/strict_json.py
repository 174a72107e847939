"""Reads JSON that people write: every silent trap of the format is an error with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogen_core.errors import InputError, Problem
from audiogen_core.options import json_path, shown

MAX_BYTES = 64 * 1024 * 1024
"""A larger file is no config."""

MAX_DEPTH = 64
"""How many objects and lists may stand in each other."""


def read_json(path: Path, what: str) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.
        what: What it is, for the message: ``generation config``.

    Raises:
        InputError: It cannot be read or is not strict JSON, with every place.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(Problem("", f"{what} does not exist"), str(path)) from None
    except IsADirectoryError:
        raise InputError(Problem("", f"{what} is a folder, not a file"), str(path)) from None
    except OSError as error:
        raise InputError(
            Problem("", f"{what} cannot be read: {error.strerror}"), str(path)
        ) from None
    return parse_json(data, str(path), what)


def parse_json(data: bytes, source: str, what: str) -> Any:
    """Parses strict JSON: UTF-8, no duplicate keys, no NaN, no infinity, whole characters.

    Raises:
        InputError: With line and column, or with the JSON path of everything that is wrong.
    """
    if len(data) > MAX_BYTES:
        raise InputError(Problem("", f"{what} is larger than {MAX_BYTES >> 20} MiB"), source)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            Problem("", f"{what} is not UTF-8 text (byte {error.start})"), source
        ) from None
    if not text.strip():
        raise InputError(Problem("", f"{what} is empty"), source)
    too_deep = InputError(
        Problem("", f"{what} is nested too deeply, more than {MAX_DEPTH} levels"), source
    )
    try:
        parsed = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=lambda name: _Refused(f"{name} is not a JSON number"),
            parse_float=_number,
            parse_int=_whole_number,
        )
        problems = list(_problems(parsed))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        why = error.msg.removesuffix(" starting at").removesuffix(" at")
        why = why[:1].lower() + why[1:]
        raise InputError(Problem(place, f"not valid JSON: {why}"), source) from None
    except RecursionError:
        raise too_deep from None
    if problems:
        raise InputError(problems, source)
    return parsed


@dataclass(frozen=True)
class _Refused:
    """Stands for what is no strict JSON until its place is known."""

    why: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _Refused("appears twice in one object") if key in found else value
    return found


def _number(digits: str) -> Any:
    value = float(digits)
    return value if math.isfinite(value) else _Refused(f"is too large a number: {digits[:60]}")


def _whole_number(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:  # Python refuses more than 4,300 digits
        return _Refused("is a whole number with too many digits")


def _problems(value: Any, path: str = "", depth: int = 0) -> Iterator[Problem]:
    if depth >= MAX_DEPTH and isinstance(value, list | dict):
        raise RecursionError
    if isinstance(value, _Refused):
        yield Problem(path, value.why)
    elif isinstance(value, str):
        if why := _broken_text(value):
            yield Problem(path, why)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, json_path(path, [index]), depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if why := _broken_text(key):
                yield Problem(path, f"key {shown(key)} {why}")
            yield from _problems(item, json_path(path, [key]), depth + 1)


def _broken_text(text: str) -> str:
    """What is wrong with a string that JSON can write, but no file name or prompt can hold."""
    if "\0" in text:
        return "holds a null character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no Unicode text"
    return ""
