"""What can be said of a plugin from its class alone: its options, and a config that names it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiogen_core.options import PluginOptions, shown
from audiogen_core.registry import CONDITIONER, Kind

_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "string",
    "boolean": "true or false",
    "object": "object",
    "array": "list",
    "null": "null",
}


@dataclass(frozen=True)
class OptionHelp:
    """An option as a table shows it; ``default`` is ``required`` where there is none."""

    name: str
    type: str
    default: str
    allowed: str
    description: str


def options_models(plugin: type[Any]) -> dict[str, type[PluginOptions]]:
    """The options models of a plugin by what they are for: ``""``, ``encoder``, ``decoder``."""
    return {
        name.removesuffix("Options").lower(): model
        for name in ("Options", "EncoderOptions", "DecoderOptions")
        if isinstance(model := getattr(plugin, name, None), type)
        and issubclass(model, PluginOptions)
    }


def options_help(model: type[PluginOptions]) -> list[OptionHelp]:
    """The options of a model; those of an object in it stand below it, as ``object.option``."""
    schema = model.model_json_schema()
    return list(_rows(schema, schema.get("$defs", {}), ""))


def _rows(schema: Mapping[str, Any], defs: Mapping[str, Any], prefix: str) -> Iterator[OptionHelp]:
    for name, field in schema.get("properties", {}).items():
        resolved = _resolved(field, defs)
        yield OptionHelp(
            prefix + name,
            _type(resolved, defs),
            "required" if name in schema.get("required", ()) else _default(field),
            _allowed(resolved, defs),
            field.get("description", ""),
        )
        yield from _rows(resolved, defs, f"{prefix}{name}.")


def _resolved(field: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference leads to."""
    if "$ref" in field:
        return {**defs[field["$ref"].rpartition("/")[2]], "description": ""}
    return field


def _type(field: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(_resolved(one, defs), defs) for one in field["anyOf"])
    name = _TYPES.get(field.get("type", ""), "anything")
    if name == "list" and "items" in field:
        inner = _type(_resolved(field["items"], defs), defs)
        if inner in {"whole number", "number", "string", "object"}:
            return f"list of {inner}s"
        return f"list of {inner if inner == 'anything' else f'({inner})'}"
    return name


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    return "{...}" if isinstance(default, dict) else shown(default)


def _allowed(field: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    parts = [_allowed(_resolved(one, defs), defs) for one in field.get("anyOf", ())]
    values = [field["const"]] if "const" in field else field.get("enum", ())
    parts += [", ".join(json.dumps(value) for value in values)]
    words = {
        "minimum": "at least {}", "exclusiveMinimum": "above {}",
        "maximum": "at most {}", "exclusiveMaximum": "below {}",
        "minItems": "{} or more items", "maxItems": "{} or fewer items",
        "minLength": "{} or more characters", "maxLength": "{} or fewer characters",
    }  # fmt: skip
    parts += [text.format(_number(field[key])) for key, text in words.items() if key in field]
    return ", ".join(part for part in parts if part)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def example_options(model: type[PluginOptions]) -> dict[str, Any]:
    """An option's first example (``Field(examples=[...])``), its default, or a value of its type.

    They are valid wherever every option without a default has an example.
    """
    schema = model.model_json_schema()
    defs = schema.get("$defs", {})
    return {
        name: _example({**_resolved(field, defs), **field}, defs)
        for name, field in schema.get("properties", {}).items()
    }


def _example(field: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    if field.get("examples"):
        return field["examples"][0]
    if "default" in field:
        return field["default"]
    if "anyOf" in field:
        return _example(_resolved(field["anyOf"][0], defs), defs)
    if "enum" in field or "const" in field:
        return field.get("const", field.get("enum", [None])[0])
    kind = field.get("type")
    if kind in {"integer", "number"}:
        low = field.get("minimum", field.get("exclusiveMinimum", 0))
        return low + 1 if "exclusiveMinimum" in field else low
    if kind == "array":
        return [_example(_resolved(field.get("items", {}), defs), defs)] * field.get("minItems", 0)
    if kind == "object":
        return {
            name: _example({**_resolved(one, defs), **one}, defs)
            for name, one in field.get("properties", {}).items()
        }
    return {"string": "...", "boolean": False}.get(str(kind))


def example_use(kind: Kind, plugin: type[Any]) -> str:
    """The part of a config that names a plugin, or the arguments of a command that do."""
    if kind.options != "arguments":
        return json.dumps(example_config(kind, plugin), indent=4, ensure_ascii=False)
    words = [kind.key, plugin.NAME]
    for name, value in example_options(plugin.Options).items():
        words += [kind.setting, f"{name}={json.dumps(value, ensure_ascii=False)}"]
    return shlex.join(words)


def example_config(kind: Kind, plugin: type[Any]) -> dict[str, Any]:
    """The part of a config that names a plugin, with its options at their example or default."""
    config: dict[str, Any] = {}
    for part, model in options_models(plugin).items() or [("", PluginOptions)]:
        options = example_options(model)
        *outer, last = kind.key.replace("decoder", part or "decoder").split(".")
        name: Any = plugin.NAME
        if kind.options == "named":
            named: Any = {"name": name, **options} if options else name
            value = {last.removesuffix("[]"): [named] if last.endswith("[]") else named}
        elif kind.options == "beside":
            value = {last: name, **options}
        else:
            value = {last: name, "config": options}
            if kind is CONDITIONER:
                value = {"id": name, **value}
        for key in reversed(outer):
            value = {key.removesuffix("[]"): [value] if key.endswith("[]") else value}
        config = _merged(config, value)
    return config


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = one | other
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            merged[key] = _merged(one[key], other[key])
    return merged
