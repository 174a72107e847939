"""Reads YAML that people write, by the rules that hold for JSON.

Only what every version of YAML understands alike is read. Anchors, aliases, tags and merge keys are
refused, so that a file means what it shows and cannot grow when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from audiogen_core.errors import InputError, Problem
from audiogen_core.options import shown
from audiogen_core.strict_data import (
    MAX_DEPTH,
    MAX_HANDWRITTEN_BYTES,
    Refused,
    check_data,
    decode,
    float_of,
    int_of,
    too_deep,
)

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML_1_1 = yaml.resolver.Resolver()

_CONSTANTS = {
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_OCTAL = re.compile(r"0o[0-7]+|[-+]?0[0-9]+")


def parse_yaml(data: bytes, source: str, what: str) -> Any:
    """Parses one YAML document of objects, lists, strings, numbers, booleans and null.

    Raises:
        InputError: With line and column, or with the path of everything that is wrong.
    """
    text = decode(data, source, what, MAX_HANDWRITTEN_BYTES)
    try:
        parsed = _Reader(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.reader.ReaderError as error:
        character = shown(chr(error.character)) if isinstance(error.character, int) else "one"
        raise InputError(
            Problem("", f"not valid YAML: character {character} is not allowed"), source
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context or "it cannot be parsed"
        raise InputError(Problem(_place(mark), f"not valid YAML: {why}"), source) from None
    except _RefusedSyntaxError as error:
        raise InputError(Problem(error.place, error.why), source) from None
    except RecursionError:
        raise too_deep(source, what) from None
    return check_data(parsed, source, what)


class _RefusedSyntaxError(Exception):
    """Valid YAML that a config cannot use."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(why)
        self.place = place
        self.why = why


class _Reader:
    """Builds data from the parser's events: no tag is resolved and nothing is constructed."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = (
            event
            for event in events
            if not isinstance(event, yaml.StreamStartEvent | yaml.DocumentEndEvent)
        )

    def document(self) -> Any:
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):  # nothing but comments
            return None
        value = self._value(next(self._events), 0)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _RefusedSyntaxError(
                _place(after.start_mark), "a second document begins here, but a config is one"
            )
        return value

    def _value(self, event: Any, depth: int) -> Any:
        _refuse_features(event)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
            if isinstance(value, Refused):
                return Refused(f"{value.why} ({_place(event.start_mark)})")
            return value
        if depth >= MAX_DEPTH:
            raise RecursionError
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._value(one, depth + 1) for one in self._until(yaml.SequenceEndEvent)]
        return self._object(depth)

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            _refuse_features(event)
            key = _scalar(event) if isinstance(event, yaml.ScalarEvent) else None
            place = _place(event.start_mark)
            if isinstance(key, Refused):
                raise _RefusedSyntaxError(place, f"key {key.why}")
            if not isinstance(key, str):
                text = f"{shown(event.value)} " if isinstance(event, yaml.ScalarEvent) else ""
                raise _RefusedSyntaxError(place, f"key {text}is not a string: put it in quotes")
            value = self._value(next(self._events), depth + 1)
            if key in found:
                value = Refused(f"appears twice in one object ({place})")
            found[key] = value
        return found

    def _until(self, end: type[Any]) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event


def _refuse_features(event: Any) -> None:
    place = _place(event.start_mark)
    if isinstance(event, yaml.AliasEvent):
        raise _RefusedSyntaxError(place, f"alias *{event.anchor}: write the value out")
    if event.anchor is not None:
        raise _RefusedSyntaxError(place, f"anchor &{event.anchor}: a config has no anchors")
    if event.tag is not None:
        raise _RefusedSyntaxError(place, f"tag {event.tag}: a config has no tags")


def _scalar(event: Any) -> Any:
    """What a scalar means to every version of YAML, or why it means nothing certain."""
    text: str = event.value
    if event.style:  # quoted, or a block of text
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int_of(text)
    if _OCTAL.fullmatch(text):
        return _uncertain(text, "octal", "write a decimal number, or ")
    if _FLOAT.fullmatch(text):
        return float_of(text)
    if _NO_NUMBER.fullmatch(text):
        return Refused(f"{text} is not a number that a config can hold")
    tag = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False)).rpartition(":")[2]
    if tag == "str":
        return text
    if tag == "bool":
        return _uncertain(text, "a boolean", "write true or false, or ")
    return _uncertain(text, _KINDS.get(tag, "a special key"))


def _uncertain(text: str, what: str, instead: str = "") -> Refused:
    return Refused(
        f"{shown(text)} is {what} to some versions of YAML: {instead}put it in quotes if it is text"
    )


_KINDS = {
    "timestamp": "a date",
    "int": "a number",
    "float": "a number",
    "merge": "a merge key",
}


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
