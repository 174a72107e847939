"""The JSON Schema of the generation config, made from the models and the plugins that there are.

It says what `parse_config` accepts as far as JSON Schema (draft 2020-12) can: what depends on two
values at once, or on files, it leaves to the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import core_schema

from audiogen_core.config import DEFAULT_SAMPLERS, SECTIONS, ConditioningValues
from audiogen_core.hooks import warn_of_plugin
from audiogen_core.options import PLACEHOLDER
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import PluginError, Registry

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema(plugins: PluginManager) -> Schema:
    """The schema of a generation config for the plugins that are registered.

    A kind of plugin stands at its `Kind.place`. Where that field takes a `PluginName`, alone
    or within a list, a plugin's options stand in the object with its name; elsewhere they stand
    beside the key.

    Args:
        plugins: Where the names and options come from. Those that cannot be imported are left out
            with a `PluginWarning`.
    """
    definitions: Schema = {"sample": _sample()}
    sections = {name: _schema_of(model, name, definitions) for name, model in SECTIONS.items()}
    for registry in plugins.registries():
        section, key = registry.kind.place
        if section not in sections:
            continue  # it stands in a model config
        fields = sections[section]["properties"]
        choices = _Choices(registry, definitions)
        if _holds_plugins(fields[key]):
            name = registry.kind.name.replace(" ", "-")
            definitions[name] = choices.name_or_object()
            fields[key] = _filled(fields[key], {"plugin": {"$ref": f"#/$defs/{name}"}})
        else:
            sections[section] = choices.beside(key, sections[section])
    schema = {
        "$schema": DIALECT,
        "title": "audiogen generation config",
        "description": "What audiogen generate makes, and how.",
        "type": "object",
        "properties": sections,
        "required": ["input"],
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }
    filled: Schema = _filled(schema, {"sample": {"$ref": "#/$defs/sample"}})
    return filled


class _Choices:
    """The plugins of one kind as alternatives, each with its own options."""

    def __init__(self, registry: Registry[Any], definitions: Schema) -> None:
        self._names: list[Schema] = []
        self._options: dict[str, Schema] = {}
        for name in registry.names():
            try:
                plugin = registry.load(name)
            except PluginError as error:
                warn_of_plugin(str(error))
                continue
            self._names.append({"const": name, "description": summary(plugin)})
            self._options[name] = _schema_of(
                plugin.Options, f"{registry.kind.name}-{name}", definitions
            )

    def beside(self, key: str, section: Schema) -> Schema:
        """An object of the section's own keys and the options of the plugin that ``key`` names."""
        own = section["properties"][key]
        optional = key not in section.get("required", ())
        choice = {
            **{word: own[word] for word in ("description", "default") if word in own},
            "oneOf": [*self._names, {"type": "null"}] if optional else self._names,
        }
        cases = [
            _case({"properties": {key: {"const": name}}, "required": [key]}, options)
            for name, options in self._options.items()
            if options["properties"]
        ]
        if optional:
            unnamed = {"properties": {key: {"type": "null"}}}
            cases.append(_case(unnamed, self._any_of(DEFAULT_SAMPLERS.values())))
        rest = {word: value for word, value in section.items() if word != "additionalProperties"}
        schema = {**rest, "properties": {**section["properties"], key: choice}}
        if not cases:
            return {**schema, "additionalProperties": False}
        return {**schema, "allOf": cases, "unevaluatedProperties": False}

    def name_or_object(self) -> Schema:
        """A name alone, or an object of ``name`` and the options of the plugin that it names."""
        section = {"type": "object", "properties": {"name": {}}, "required": ["name"]}
        alone = [one for one in self._names if not self._options[one["const"]].get("required")]
        return {"anyOf": [{"oneOf": alone}, self.beside("name", section)]}

    def _any_of(self, names: Iterable[str]) -> Schema:
        """The options of all of these: which of them it will be is not known yet."""
        properties: dict[str, list[Schema]] = {}
        for name in names:
            for key, value in self._options.get(name, _NO_OPTIONS)["properties"].items():
                found = properties.setdefault(key, [])
                if value not in found:
                    found.append(value)
        return {
            "properties": {
                key: found[0] if len(found) == 1 else {"anyOf": found}
                for key, found in properties.items()
            }
        }


_NO_OPTIONS: Mapping[str, Any] = {"properties": {}}


def _case(condition: Schema, options: Schema) -> Schema:
    then = {word: options[word] for word in ("properties", "required") if options.get(word)}
    return {"if": condition, "then": then}


def summary(plugin: type[Any]) -> str:
    """The first line of a plugin's docstring."""
    return (plugin.__doc__ or "").strip().partition("\n")[0]


def _sample() -> Schema:
    """A sample: as the defaults, which fill in what it leaves out."""
    schema = _schema_of(ConditioningValues, "sample", {})
    for value in schema["properties"].values():
        del value["default"]
    return {**schema, "description": "A sample; conditioning_defaults fill in what it leaves out."}


def _schema_of(model: type[BaseModel], name: str, definitions: Schema) -> Schema:
    """The schema of an options model; what it refers to goes into ``definitions``."""
    prefix = re.sub(r"\W+", "-", name)
    schema = model.model_json_schema(
        schema_generator=_Generator, ref_template=f"#/$defs/{prefix}-{{model}}"
    )
    for key, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}-{key}"] = definition
    schema.pop("title", None)
    return {**schema, "properties": schema.get("properties", {})}


class _Generator(GenerateJsonSchema):
    """Pydantic's own, without titles that repeat names, and open where a type has no schema."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {  # noqa: RUF012
        "skipped-choice",
        "non-serializable-default",
    }

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def handle_invalid_for_json_schema(
        self,
        schema: core_schema.CoreSchema,  # noqa: ARG002
        error_info: str,  # noqa: ARG002
    ) -> JsonSchemaValue:
        """Anything: the plugin's own validation still has the last word."""
        return {}


def _holds_plugins(schema: Any) -> bool:
    """Whether a plugin's name or an object with it stands anywhere in the field."""
    return bool(_filled(schema, {"plugin": {}}) != schema)


def _filled(schema: Any, values: Mapping[str, Schema]) -> Any:
    """The schema with its placeholders replaced."""
    if isinstance(schema, list):
        return [_filled(one, values) for one in schema]
    if not isinstance(schema, dict):
        return schema
    filled = {key: _filled(value, values) for key, value in schema.items()}
    if filled.get(PLACEHOLDER) in values:
        filled = {**values[filled.pop(PLACEHOLDER)], **filled}
    return filled
