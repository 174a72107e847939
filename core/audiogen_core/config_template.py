"""A commented generation config to start from, made from the models and the plugins there are."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from audiogen_core.config import SECTIONS
from audiogen_core.plugin_manager import PluginManager

Writer: TypeAlias = Callable[[list["Section"]], str]

TITLE = "A generation config for audiogen. Only input is required; all else shows its default."
WIDTH = 96
UNBROKEN = "\u00a0"
"""Stands for a space where no line may end, until the lines are made."""

STARTING_VALUES: Mapping[str, Any] = {
    "input.type": "config",
    "input.samples": [
        {"prompt": "house beat at 120 bpm"},
        {"prompt": "plucked guitar playing A3", "seconds_total": 4},
    ],
}
"""What stands in the template where there is no default."""


@dataclass(frozen=True)
class Entry:
    """A key with its value, and what it means; a value of None is left to be filled in."""

    key: str
    value: Any
    comment: str


@dataclass(frozen=True)
class Section:
    """A section with what it is for."""

    name: str
    comment: str
    entries: tuple[Entry, ...]


def template(plugins: PluginManager, file_format: str) -> str:
    """The text of a config that is valid as it is.

    Args:
        plugins: Whose names the comments list.
        file_format: One of `WRITERS`.
    """
    return WRITERS[file_format](list(_sections(plugins)))


def _sections(plugins: PluginManager) -> Iterator[Section]:
    known = {".".join(one.kind.place): one.names() for one in plugins.registries()}
    for name, model in SECTIONS.items():
        entries = []
        for key, field in model.model_fields.items():
            path = f"{name}.{key}"
            comment = field.description or ""
            if path in known:
                names = ", ".join(f'"{one}"'.replace(" ", UNBROKEN) for one in known[path])
                comment = f"{comment} One of: {names}."
            default = field.get_default(call_default_factory=True)
            entries.append(Entry(key, STARTING_VALUES.get(path, default), comment))
        started = [path for path in STARTING_VALUES if path.startswith(f"{name}.")]
        entries += [
            Entry(key, STARTING_VALUES[path], _option(plugins, key))
            for path in started
            if (key := path.partition(".")[2]) not in model.model_fields
        ]
        yield Section(name, " ".join((model.__doc__ or "").split()), tuple(entries))


def _option(plugins: PluginManager, key: str) -> str:
    """What the option of the input source in the template means."""
    source = plugins.inputs.load(STARTING_VALUES["input.type"])
    return source.Options.model_fields[key].description or ""


def _json(sections: list[Section]) -> str:
    """Without comments, which JSON has not, and without keys that have no value."""
    data = {
        section.name: {one.key: one.value for one in section.entries if one.value is not None}
        for section in sections
    }
    return json.dumps(data, indent=4, ensure_ascii=False) + "\n"


def _yaml(sections: list[Section]) -> str:
    return _commented(
        sections,
        heading=lambda name: f"{name}:",
        indent="  ",
        assign=lambda key, value: f"{key}:{_yaml_value(value)}",
    )


def _toml(sections: list[Section]) -> str:
    return _commented(
        sections,
        heading=lambda name: f"[{name}]",
        indent="",
        assign=lambda key, value: f"{key} = {_toml_value(value)}".rstrip(),
    )


def _commented(
    sections: list[Section],
    *,
    heading: Callable[[str], str],
    indent: str,
    assign: Callable[[str, Any], str],
) -> str:
    lines = list(_comment(TITLE, ""))
    for section in sections:
        lines += ["", *_comment(section.comment, ""), heading(section.name)]
        for one in section.entries:
            lines += _comment(one.comment, indent)
            unset = "# " if one.value is None else ""
            lines.append(textwrap.indent(unset + assign(one.key, one.value), indent))
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> Iterable[str]:
    mark = f"{indent}# "
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=mark,
        subsequent_indent=mark,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(UNBROKEN, " ") for line in lines]


def _yaml_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "".join(f"\n  - {_inline(one, ': ')}" for one in value)
    return f" {_inline(value, ': ')}"


def _toml_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[" + "".join(f"\n    {_inline(one, ' = ')}," for one in value) + "\n]"
    return _inline(value, " = ")


def _inline(value: Any, assign: str) -> str:
    """A value on one line, which YAML and TOML write alike but for what stands after a key."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(k)}{assign}{_inline(v, assign)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_inline(one, assign) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)


WRITERS: Mapping[str, Writer] = {"yaml": _yaml, "toml": _toml, "json": _json}
"""The formats that a template can be written in."""
