"""What holds for JSON, TOML and YAML alike: size, depth, text, and what no config can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogen_core.errors import InputError, Problem
from audiogen_core.options import json_path, shown

MAX_BYTES = 4 * 2**20
"""A larger file is no config. Data takes up to thirty times the memory of its text."""

MAX_HANDWRITTEN_BYTES = 128 * 2**10
"""The same for TOML and YAML, whose readers need seconds for a MiB of the worst."""

MAX_VALUES = 100_000
"""How many values a config may hold: more samples belong in a file of their own."""

MAX_KEYS = 1000
"""How many keys an object may have: every one that is unknown is compared with all known ones."""

MAX_INTEGER_BITS = 14_000
"""As many as the 4,300 digits hold up to which Python writes whole numbers."""

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


def decode(data: bytes, source: str, what: str, max_bytes: int = MAX_BYTES) -> str:
    """The text of a file, without its byte-order mark.

    Raises:
        InputError: It is too large, empty, or not UTF-8.
    """
    if len(data) > max_bytes:
        raise InputError(Problem("", f"{what} is larger than {max_bytes >> 10} KiB"), source)
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
    checks = _Checks()
    try:
        checks.check(parsed, ())
    except RecursionError:
        raise too_deep(source, what) from None
    except _TooManyError:
        why = f"{what} holds more than {MAX_VALUES:,} values: put samples into a file of their own"
        raise InputError(Problem("", why), source) from None
    if checks.problems:
        raise InputError(checks.problems, source)
    return parsed


class _TooManyError(Exception):
    """There are more than `MAX_VALUES`."""


class _Checks:
    """Looks at every value; places are only written out where something is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._count = 0

    def check(self, value: Any, place: tuple[str | int, ...]) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            raise _TooManyError
        if isinstance(value, (list, dict)):
            if len(place) >= MAX_DEPTH:
                raise RecursionError
            items = value.items() if isinstance(value, dict) else enumerate(value)
            if isinstance(value, dict):
                self._check_keys(value, place)
            for key, item in items:
                if isinstance(item, (list, dict)):
                    self.check(item, (*place, key))
                    continue
                self._count += 1
                if self._count > MAX_VALUES:
                    raise _TooManyError
                if why := _why_refused(item):
                    self._refuse((*place, key), why)
        elif why := _why_refused(value):
            self._refuse(place, why)

    def _check_keys(self, value: dict[Any, Any], place: tuple[str | int, ...]) -> None:
        if len(value) > MAX_KEYS:
            self._refuse(place, f"has {len(value)} keys, more than {MAX_KEYS}")
        for key in value:
            if not isinstance(key, str):
                self._refuse(place, f"key {key!r} must be a string")
            elif why := _broken_text(key):
                self._refuse(place, f"key {shown(key)} {why}")

    def _refuse(self, place: tuple[str | int, ...], why: str) -> None:
        self.problems.append(Problem(json_path("", place), why))


def _why_refused(value: Any) -> str:
    if isinstance(value, str):
        return _broken_text(value)
    if isinstance(value, Refused):
        return value.why
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        return "is a whole number with too many digits"
    return ""


def _broken_text(text: str) -> str:
    """What is wrong with a string that a file can write, but no file name or prompt can hold."""
    if "\0" in text:
        return "holds a null character"
    if text.isascii():
        return ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no Unicode text"
    return ""
