"""What holds for JSON, TOML and YAML alike: size, depth, text, and what no config can hold."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Refused:
    """Stands for a value that is refused, until its place in the data is known."""

    why: str


def read_file(path: Path, what: str) -> bytes:
    """The bytes of a file, up to one more than are allowed.

    Args:
        path: The file.
        what: What it is, for the message: ``generation config``.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(Problem("", f"{what} does not exist"), str(path)) from None
    except IsADirectoryError:
        raise InputError(Problem("", f"{what} is a folder, not a file"), str(path)) from None
    except OSError as error:
        raise InputError(
            Problem("", f"{what} cannot be read: {error.strerror}"), str(path)
        ) from None


def decode(data: bytes, source: str, what: str) -> str:
    """The text of a file, without its byte-order mark.

    Raises:
        InputError: It is too large, empty, or not UTF-8.
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
    return text


def too_deep(source: str, what: str) -> InputError:
    """The error for data that is nested more than `MAX_DEPTH` levels deep."""
    return InputError(
        Problem("", f"{what} is nested too deeply, more than {MAX_DEPTH} levels"), source
    )


def float_of(digits: str) -> float | Refused:
    """The number that the digits write, unless it is too large for one."""
    value = float(digits)
    return value if math.isfinite(value) else Refused(f"is too large a number: {digits[:60]}")


def int_of(digits: str) -> int | Refused:
    """The whole number that the digits write."""
    try:
        return int(digits)
    except ValueError:  # Python refuses more than 4,300 digits
        return Refused("is a whole number with too many digits")


def check_data(parsed: Any, source: str, what: str) -> Any:
    """The data as it is, when all of it may stand in a config.

    Raises:
        InputError: With the JSON path of everything that may not.
    """
    try:
        problems = list(_problems(parsed))
    except RecursionError:
        raise too_deep(source, what) from None
    if problems:
        raise InputError(problems, source)
    return parsed


def _problems(value: Any, path: str = "", depth: int = 0) -> Iterator[Problem]:
    if depth >= MAX_DEPTH and isinstance(value, list | dict):
        raise RecursionError
    if isinstance(value, Refused):
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
    """What is wrong with a string that a file can write, but no file name or prompt can hold."""
    if "\0" in text:
        return "holds a null character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no Unicode text"
    return ""
