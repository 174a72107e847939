"""The base of every options model, and validation that answers with the user's own JSON paths."""

from __future__ import annotations

import json
import os
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from audiogen_core.errors import InputError, Problem, did_you_mean, listed, nearest

if typing.TYPE_CHECKING:
    from pydantic_core import ErrorDetails

ModelT = TypeVar("ModelT", bound=BaseModel)

PLACEHOLDER = "x-audiogen"
"""A JSON Schema keyword for what the schema of the whole config fills in: a plugin, a sample."""

MAX_SHOWN = 60
"""How many characters of a value a message shows."""


def at_home(path: str) -> str:
    """A path with ``~`` in front as the home folder that it means, as a shell would give it."""
    try:
        return os.path.expanduser(path)  # noqa: PTH111, which leaves the name of no user as it is
    except ValueError:  # no path at all, which whoever opens it will tell
        return path


UserPath = Annotated[str, AfterValidator(at_home)]
"""The type of an option that is a path: ``~`` in front is the home folder."""


class PluginOptions(BaseModel):
    """Base of a plugin's options: unknown keys are errors, nothing is coerced or changed later.

    A JSON whole number is accepted for a float; ``"3"`` is not accepted for 3. Fields are of what
    JSON has: strings, numbers, booleans, null, lists, dictionaries, other models, literals and
    unions of these. No value fits a tuple, a set, an enumeration or a path: write a list, a list,
    a ``Literal`` and a string, and let a property make more of it.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class NoOptions(PluginOptions):
    """The options of a plugin that takes none."""


def validate(model: type[ModelT], data: object, where: str = "", source: str = "") -> ModelT:
    """Builds ``model`` from JSON data.

    Args:
        model: The options model.
        data: What the JSON held at ``where``.
        where: The JSON path of ``data``, the prefix of every path in the message.
        source: The file's name, for the message.

    Raises:
        InputError: With every problem found, each with its own JSON path.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(problems_of(error, model, where), source) from None


def problems_of(error: ValidationError, model: type[BaseModel], where: str = "") -> list[Problem]:
    """Every error of a pydantic validation, in the words of this program and without repeats."""
    details = error.errors(include_url=False)
    unknown = {detail["loc"] for detail in details if detail["type"] == "extra_forbidden"}
    problems = [
        _problem(detail, model, where)
        for detail in details
        # A misspelt key is one problem: it is unknown, and so says what it should have been.
        if not (detail["type"] == "missing" and _misspelt(detail, model) in unknown)
    ]
    return list(dict.fromkeys(problems))


def json_path(where: str, parts: Sequence[str | int]) -> str:
    """``json_path("input", ["samples", 3])`` is ``"input.samples[3]"``."""
    path = where
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            name = part if part and part.isprintable() else repr(part)
            name = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}..."
            path += f".{name}" if path else name
    return path


def type_name(value: object) -> str:
    """What JSON calls the type of a value: an object, a list, a string and so on."""
    names: dict[type, str] = {
        bool: "a boolean",
        int: "a whole number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)


def shown(value: object) -> str:
    """A value as messages show it: a string in quotes, all else as JSON, shortened where long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _problem(detail: ErrorDetails, model: type[BaseModel], where: str) -> Problem:
    location = detail["loc"]
    path = json_path(where, location)
    kind = detail["type"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    value = detail["input"]
    if kind == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        key = str(location[-1])
        allowed = listed(known) if known else "none"
        return Problem(path, f"unknown key{did_you_mean(key, known)}; allowed: {allowed}")
    if kind == "missing":
        misspelt = _misspelt(detail, model)
        hint = f" (did you mean it by '{misspelt[-1]}'?)" if misspelt else ""
        return Problem(path, f"is required, but missing{hint}")
    if kind == "literal_error":
        text = str(context["expected"]).replace(" or ", ", ")
        hint = did_you_mean(value, text.strip("'").split("', '")) if isinstance(value, str) else ""
        return Problem(path, f"{shown(value)} is not allowed{hint}; allowed: {text}")
    if kind == "finite_number":
        return Problem(path, "must be a finite number")
    if kind == "float_type" and type(value) is int:
        return Problem(path, f"is too large a number: {shown(value)}")
    if kind in _EXPECTED:
        given = shown(value) if isinstance(value, float) else type_name(value)
        return Problem(path, f"must be {_EXPECTED[kind]}, not {given}")
    if kind in _BOUNDS:
        bound = next(iter(context.values()))
        bound = f"{bound:g}" if isinstance(bound, float) else bound
        return Problem(path, f"must be {_BOUNDS[kind]} {bound}, not {shown(value)}")
    if kind in {"too_short", "too_long"}:
        limit = context.get("min_length", context.get("max_length"))
        word = "at least" if kind == "too_short" else "at most"
        return Problem(path, f"must have {word} {limit} item{'s' if limit != 1 else ''}")
    if kind == "string_too_short":
        return Problem(path, "must not be empty")
    if kind in {"value_error", "assertion_error"}:
        return Problem(path, str(context.get("error", detail["msg"])))
    return Problem(path, detail["msg"][:1].lower() + detail["msg"][1:])


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "none_required": "null",
}

_BOUNDS = {
    "greater_than": "greater than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}


def _misspelt(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str | int, ...] | None:
    """Where the key stands that was probably meant to be a missing one."""
    *place, name = detail["loc"]
    if not isinstance(detail["input"], dict):
        return None
    known = _fields_at(model, place)
    others = [str(key) for key in detail["input"] if key not in known]
    near = nearest(str(name), others)
    return (*place, near) if near is not None and nearest(near, known) == name else None


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    here = [model]
    for part in location:
        if isinstance(part, int):
            continue
        here = [found for one in here for found in _models_in(one, part)]
    names = [field.alias or name for one in here for name, field in one.model_fields.items()]
    return list(dict.fromkeys(names))


def _models_in(model: type[BaseModel], part: str | int) -> list[type[BaseModel]]:
    if isinstance(part, int):
        return [model]
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            return _models_of(field.annotation)
    return []


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (
        typing.Union,
        types.UnionType,
        list,
        tuple,
        typing.Annotated,
    ):
        return [model for arg in typing.get_args(annotation) for model in _models_of(arg)]
    return []
