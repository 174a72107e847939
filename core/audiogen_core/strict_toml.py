"""Reads TOML that people write, by the rules that hold for JSON."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from typing import Any

from audiogen_core.errors import InputError, Problem
from audiogen_core.strict_data import (
    MAX_DEPTH,
    MAX_HANDWRITTEN_BYTES,
    Refused,
    check_data,
    decode,
    float_of,
    too_deep,
)

_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DEEP_KEY = re.compile(rf"(?<![\w-]){_PART}(?:\.[ \t]*+{_PART}){{{MAX_DEPTH}}}", re.ASCII)
"""A dotted key that tomllib would take time for that grows with the square of its parts."""

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|(end of document))\)$")


def parse_toml(data: bytes, source: str, what: str) -> Any:
    """Parses TOML 1.0 without dates, infinities and NaN, which no config can hold.

    Raises:
        InputError: With line and column, or with the path of everything that is wrong.
    """
    text = decode(data, source, what, MAX_HANDWRITTEN_BYTES)
    if _DEEP_KEY.search(text):
        raise too_deep(source, what)
    try:
        parsed = _without_dates(tomllib.loads(text, parse_float=_number))
    except tomllib.TOMLDecodeError as error:
        raise InputError(_syntax_problem(str(error), text), source) from None
    except RecursionError:
        raise too_deep(source, what) from None
    except ValueError:  # Python refuses more than 4,300 digits, and days that no month has
        raise InputError(
            Problem("", "not valid TOML: a number has too many digits, or a date is none"), source
        ) from None
    return check_data(parsed, source, what)


def _number(digits: str) -> float | Refused:
    if digits.lstrip("+-") in {"inf", "nan"}:
        return Refused(f"{digits} is not a number that a config can hold")
    return float_of(digits)


def _without_dates(value: Any) -> Any:
    """The data with what TOML reads as dates and times marked as refused."""
    if isinstance(value, dict):
        return {key: _without_dates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_dates(item) for item in value]
    if isinstance(value, date | datetime | time):
        return Refused("is a date or a time: put it in quotes if it is text")
    return value


def _syntax_problem(message: str, text: str) -> Problem:
    found = _PLACE.search(message)
    why = _PLACE.sub("", message)
    why = f"not valid TOML: {why[:1].lower()}{why[1:]}"
    if found is None:
        return Problem("", why)
    line, column, at_end = found.groups()
    if at_end:
        lines = text.splitlines()
        line, column = len(lines), len(lines[-1]) + 1
    return Problem(f"line {line}, column {column}", why)
