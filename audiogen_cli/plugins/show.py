"""``audiogen plugins show``: one plugin, its options and a config that uses it."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiogen_core.errors import UsageError
from audiogen_core.terminal import text_width

if TYPE_CHECKING:
    from audiogen_core.options import PluginOptions
    from audiogen_core.registry import Registration


def show_plugin(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="Its kind, like sampler or input-source.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, as a config has it.")],
) -> None:
    """Show a plugin: what it does, its options, an example config, and where it is from."""
    from audiogen_core.plugin_help import example_use, options_models
    from audiogen_core.plugin_manager import installed_plugins
    from audiogen_core.registry import kind_named

    registry = installed_plugins().registry(kind_named(kind))
    if name not in registry:
        raise UsageError(registry.unknown(name))
    plugin = registry.load(name)
    registration = next(one for one in registry if one.name == name)
    models = options_models(plugin)
    example = example_use(registry.kind, plugin)
    where = "arguments of a command" if registry.kind.options == "arguments" else "a config"
    parts = [
        f"{name}, {_article(registry.kind.name)} {registry.kind.name} of {registration.origin}\n"
        f"{_source(registration)}",
        _filled(inspect.getdoc(plugin) or "It has no documentation."),
        *(_options(f"{part} options".strip(), model) for part, model in models.items()),
        f"In {where} ({registry.kind.key}):\n{textwrap.indent(example, '    ')}",
    ]
    sys.stdout.write("\n\n".join(parts) + "\n")


def _filled(text: str) -> str:
    """The paragraphs of a docstring as wide as text may be; what is indented stays as it is."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        one if re.search("^ ", one, re.MULTILINE) else textwrap.fill(one, text_width())
        for one in paragraphs
    )


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _source(registration: Registration[Any]) -> str:
    target = registration.target
    return target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"


def _options(title: str, model: type[PluginOptions]) -> str:
    from audiogen_core.plugin_help import options_help

    text = f"{title.capitalize()}:"
    rows = options_help(model)
    for row in rows:
        facts = [row.type, row.allowed]
        facts.append("required" if row.default == "required" else f"default {row.default}")
        text += f"\n    {row.name}: {'; '.join(fact for fact in facts if fact)}"
        if row.description:
            described = textwrap.fill(row.description, text_width() - 8)
            text += f"\n{textwrap.indent(described, ' ' * 8)}"
    return text if rows else f"{text} none"
