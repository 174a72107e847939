"""The tables of plugins in the documentation, made from what is registered.

``python -m tests.docs_tables`` writes them anew, each between its two markers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from audiogen_core.config import SECTIONS
from audiogen_core.config_schema import summary
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.registry import Kind, Registry

DOCS = Path(__file__).parents[1] / "docs"


def in_config(kind: Kind) -> bool:
    """Whether a generation config names plugins of the kind, rather than a model config."""
    return kind.place[0] in SECTIONS


def page(kind: Kind) -> Path:
    """Where the table of a kind stands: with the command, the config or model configs."""
    if kind.options == "arguments":
        return DOCS / "embed.md"
    return DOCS / ("generate.md" if in_config(kind) else "models.md")


def markers(kind: Kind) -> tuple[str, str]:
    """What stands before and after the table of a kind."""
    return f"<!-- table: {kind.name} -->\n", "<!-- end of table -->\n"


def written(text: str, registry: Registry[Any]) -> str:
    """The page with the table of one kind made anew.

    Raises:
        ValueError: The page has no place for it.
    """
    start, end = markers(registry.kind)
    place = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    if not place.search(text):
        raise ValueError(f"no lines {start.strip()} and {end.strip()}")
    return place.sub(lambda _: start + table(registry) + end, text)


def table(registry: Registry[Any]) -> str:
    """Every plugin of a kind, and below it every option."""
    plugins = {name: registry.load(name) for name in registry.names()}
    objectives = any(hasattr(plugin, "OBJECTIVES") for plugin in plugins.values())
    head = [registry.kind.name.capitalize(), *(["Objectives"] if objectives else []), "What it is"]
    rows = []
    options: dict[tuple[str, str, str], list[str]] = {}
    for name, plugin in plugins.items():
        suits = [", ".join(f"`{one}`" for one in sorted(plugin.OBJECTIVES))] if objectives else []
        rows.append([f"`{name}`", *suits, summary(plugin).replace("``", "`")])
        for key, field in fields(plugin):
            row = (f"`{key}`", _default(field), field.description or "")
            if f"`{name}`" not in (names := options.setdefault(row, [])):
                names.append(f"`{name}`")
    text = _table(head, rows)
    if options:
        described = any(meaning for _, _, meaning in options)
        head = ["Option", "Default", *(["Meaning"] if described else []), "Of"]
        rows = [
            [key, default, *([meaning] if described else []), ", ".join(names)]
            for (key, default, meaning), names in options.items()
        ]
        text += "\n" + _table(head, rows)
    return text


def fields(plugin: Any) -> Iterator[tuple[str, FieldInfo]]:
    """The options of a plugin; an autoencoder has those of its encoder and of its decoder."""
    for name in ("Options", "EncoderOptions", "DecoderOptions"):
        if (model := getattr(plugin, name, None)) is not None:
            yield from model.model_fields.items()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    values = [value, *(one for one in choices if one != value)]
    return " or ".join(f"`{json.dumps(one, default=BaseModel.model_dump)}`" for one in values)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [
        head,
        ["---"] * len(head),
        *([cell.replace("|", r"\|") for cell in row] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(plugins: PluginManager) -> None:
    """Writes all tables of the built-in plugins anew."""
    for registry in plugins.registries():
        path = page(registry.kind)
        path.write_text(written(path.read_text(encoding="utf-8"), registry), encoding="utf-8")


if __name__ == "__main__":
    write(installed_plugins())
