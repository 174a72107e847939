"""Values that arguments put into a config in place of what it says, or beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from audiogen_core.config import DEFAULT_CONDITIONING
from audiogen_core.errors import InputError, Problem, UsageError
from audiogen_core.options import MAX_SHOWN, json_path, type_name
from audiogen_core.strict_data import check_data
from audiogen_core.strict_json import parse_json

DEFAULTS = "conditioning_defaults"
"""The one section whose own defaults hold only where a config lacks it."""

_PATH = re.compile(r"[^.\[\]]+(\[[0-9]{1,9}\])*(\.[^.\[\]]+(\[[0-9]{1,9}\])*)*")
_PART = re.compile(r"\[([0-9]+)\]|[^.\[\]]+")


@dataclass(frozen=True)
class Override:
    """One value, and where in a config it belongs.

    Attributes:
        path: The keys and indexes that lead there. A key of digits is an index in a list.
        value: The value, as JSON.
        argument: The argument that gives it, for messages: ``--set generation.steps=5``.
    """

    path: tuple[str | int, ...]
    value: Any
    argument: str


SETTING = "section.key=value, such as generation.steps=50 or input.samples[0].prompt=rain"
"""The form of what stands behind ``--set``."""


def parse_setting(text: str, option: str = "--set", form: str = SETTING) -> Override:
    """Reads ``section.key=value``: the value as JSON where it is JSON, else as a string.

    Args:
        text: What stands behind the option: ``input.samples[0].prompt=rain``.
        option: The option, for messages.
        form: What it must be like, for messages.

    Raises:
        UsageError: It has no such form.
    """
    name, equals, value = text.partition("=")
    argument = f"{option} {text if len(text) <= MAX_SHOWN else f'{text[:MAX_SHOWN]}...'}"
    if not equals or (path := place_named(name.strip())) is None:
        raise UsageError(str(Problem(argument, f"must be like {form}")))
    return Override(path, _value(value), argument)


def place_named(name: str) -> tuple[str | int, ...] | None:
    """The keys and indexes of ``section.key[0]``; None where it has no such form."""
    if not _PATH.fullmatch(name):
        return None
    return tuple(part[0] if part[1] is None else int(part[1]) for part in _PART.finditer(name))


def _value(text: str) -> Any:
    try:
        return parse_json(text.encode("utf-8", "surrogatepass"), "", "value")
    except InputError:
        return text


class Overrides:
    """Overrides of one config, the later ones over the earlier.

    Args:
        overrides: In the order in which they count.
    """

    def __init__(self, overrides: Sequence[Override]) -> None:
        self._overrides = tuple(overrides)
        self._arguments: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._overrides)

    def applied(self, data: Any) -> Any:
        """A copy of a config's data with the values in it; what is no object stays as it is.

        Raises:
            InputError: A value cannot be put where it belongs.
        """
        if not self._overrides or not isinstance(data, dict):
            return data
        data = deepcopy(data)
        self._arguments.clear()  # what they say of another config
        for one in self._overrides:
            if one.path[0] == DEFAULTS and len(one.path) > 1:
                # The keys that nobody has set are to stay what they are without the section.
                data.setdefault(DEFAULTS, dict(DEFAULT_CONDITIONING))
            place = json_path("", _put(data, one))
            inside = [known for known in self._arguments if _is_at(known, place)]
            for known in inside:
                del self._arguments[known]
            self._arguments[place] = one.argument
        with self.explained():
            return check_data(data, "", "generation config")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Problems of values that came from arguments say so, in errors that leave the block."""
        try:
            yield
        except InputError as error:
            problems = [self._explained(problem) for problem in error.problems]
            raise type(error)(problems, error.source, more=error.more) from error.__cause__

    def _explained(self, problem: Problem) -> Problem:
        """With the argument of the nearest place above the problem that one has put there."""
        above = [place for place in self._arguments if _is_at(problem.where, place)]
        if not above or problem.where.startswith("--"):
            return problem
        argument = self._arguments[max(above, key=len)]
        return replace(problem, where=f"{argument}: {problem.where}")


def _is_at(where: str, place: str) -> bool:
    """Whether one JSON path is the other, or below it."""
    return where == place or where.startswith((f"{place}.", f"{place}["))


def _put(data: dict[str, Any], override: Override) -> tuple[str | int, ...]:
    """Puts a value into data, and makes the objects and lists above it that are missing.

    Returns:
        The place of all that is new: the value's own, or that of the first thing that was missing.

    Raises:
        InputError: The way leads through something that holds nothing.
    """
    place: Any = data
    walked: tuple[str | int, ...] = ()
    new: tuple[str | int, ...] | None = None
    for number, part in enumerate(override.path):
        key = _key(place, part, walked, override)
        walked = (*walked, key)
        rest = override.path[number + 1 :]
        missing = key == len(place) if isinstance(place, list) else place.get(key) is None
        if missing or not rest:
            new = new or walked
            value = override.value if not rest else [] if _is_index(rest[0]) else {}
            if isinstance(place, list) and missing:
                place.append(value)
            else:
                place[key] = value
        place = place[key]
    return new or walked


def _key(
    place: Any, part: str | int, walked: tuple[str | int, ...], override: Override
) -> str | int:
    """The key or index that a part of a path is in what stands there."""
    where = json_path("", walked)
    if isinstance(place, dict) and isinstance(part, str):
        return part
    if isinstance(place, list) and _is_index(part):
        if int(part) <= len(place):
            return int(part)
        items = f"{len(place)} item{'s' * (len(place) != 1)}"
        what = f"has {items}: [{part}] is none of them and not the next, which is [{len(place)}]"
        raise _refused(override, where, what)
    if isinstance(place, list):
        raise _refused(override, where, f"is a list: '{part}' must be an index, as in {where}[0]")
    if isinstance(place, dict):
        raise _refused(override, where, f"is an object: [{part}] must be a key")
    what = f"is {type_name(place)}, which holds no {json_path('', [part])}: set it as a whole"
    raise _refused(override, where, what)


def _is_index(part: str | int) -> bool:
    return isinstance(part, int) or (part.isdecimal() and part.isascii() and len(part) < 10)


def _refused(override: Override, where: str, what: str) -> InputError:
    return InputError(Problem(f"{override.argument}: {where}", what))


NOTHING = Overrides(())
"""What leaves a config as it is."""


def prompts_override(prompts: Sequence[str], option: str = "--prompt") -> Override:
    """Prompts in place of a config's whole ``input``."""
    samples = [{"prompt": prompt} for prompt in prompts]
    return Override(("input",), {"type": "config", "samples": samples}, option)
