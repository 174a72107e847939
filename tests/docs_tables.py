"""What the documentation says of plugins, options and commands, made from the code.

``python -m tests.docs_tables`` writes it anew: the tables of plugins, each between its two markers,
and the pages of docs/reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from audiogen_core.config import SECTIONS
from audiogen_core.config_schema import summary
from audiogen_core.plugin_help import options_models
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.registry import Kind, Registry
from tests import docs_markdown, docs_reference
from tests.docs_markdown import code

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
    """Every plugin of a kind, and where its options stand."""
    plugins = {name: registry.load(name) for name in registry.names()}
    objectives = any(hasattr(plugin, "OBJECTIVES") for plugin in plugins.values())
    head = [registry.kind.name.capitalize(), *(["Objectives"] if objectives else []), "What it is"]
    rows = []
    for name, plugin in plugins.items():
        suits = [", ".join(code(one) for one in sorted(plugin.OBJECTIVES))] if objectives else []
        rows.append([code(name), *suits, summary(plugin).replace("``", "`")])
    text = docs_markdown.table(head, rows)
    if any(list(fields(plugin)) for plugin in plugins.values()):
        text += f"\n[Their options.](reference/{docs_reference.link_to(registry.kind)})\n"
    return text


def fields(plugin: Any) -> Iterator[tuple[str, FieldInfo]]:
    """The options of a plugin; an autoencoder has those of its encoder and of its decoder."""
    for model in options_models(plugin).values():
        yield from model.model_fields.items()


def write(plugins: PluginManager) -> None:
    """Writes all tables and pages of the built-in plugins anew."""
    for registry in plugins.registries():
        path = page(registry.kind)
        path.write_text(written(path.read_text(encoding="utf-8"), registry), encoding="utf-8")
    for name, page_of in docs_reference.PAGES.items():
        (DOCS / "reference" / name).write_text(page_of(plugins), encoding="utf-8")


if __name__ == "__main__":
    write(installed_plugins())
