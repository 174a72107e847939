"""The reference pages of the documentation, made from the code: ``python -m tests.docs_tables``.

Each function here makes one page. All of it can be read as plain Markdown too, and a test holds the
pages against what the code says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import typer

from audiogen_cli.app import app
from audiogen_core.config import SECTIONS
from audiogen_core.config_schema import summary
from audiogen_core.plugin_help import OptionHelp, options_help, options_models
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import Kind, Registry
from tests.docs_markdown import anchor, code, table
from tests.docs_python import python_page

GENERATED = "<!-- Made from the code by python -m tests.docs_tables: do not edit. -->\n"


def config_page(plugins: PluginManager) -> str:
    """Every key of a generation config."""
    kinds = {one.kind.place: one.kind for one in plugins.registries()}
    text = f"""{GENERATED}
# Keys of a config

Every key of a generation config with what it may hold. [The command's page](../generate.md) says
what they mean together, and [another](../config.md) how to write and check a config. A plugin of
`output` is named by its name, or by an object with its `name` and [its options](plugins.md); the
options of a sampler and of an input source stand beside `sampler_type` and `type`.
"""
    for name, model in SECTIONS.items():
        text += f"\n## `{name}`\n\n{' '.join((model.__doc__ or '').split())}\n\n"
        rows = options_help(model)  # type: ignore[arg-type]
        text += _options(rows, {key: kind for (place, key), kind in kinds.items() if place == name})
    return text


def plugins_page(plugins: PluginManager) -> str:
    """Every built-in plugin with every option."""
    text = f"""{GENERATED}
# Plugins and their options

What comes with audiogen. `audiogen plugins show KIND NAME` shows the same of everything that is
installed, with an example.
"""
    for registry in plugins.registries():
        text += f"\n## {title(registry.kind)}\n\nNamed by `{registry.kind.key}`.\n"
        for name in registry.names():
            text += "\n" + _plugin(name, registry)
    return text


def title(kind: Kind) -> str:
    """The heading of a kind: ``Input sources``."""
    noun = kind.name.capitalize()
    return f"{noun[:-1]}ies" if noun.endswith("gy") else f"{noun}s"


def link_to(kind: Kind) -> str:
    """Where a kind stands on the page of plugins."""
    return f"plugins.md#{anchor(title(kind))}"


def _plugin(name: str, registry: Registry[Any]) -> str:
    plugin = registry.load(name)
    facts = [summary(plugin).replace("``", "`")]
    if objectives := getattr(plugin, "OBJECTIVES", ()):
        facts.append(f"For {', '.join(code(one) for one in sorted(objectives))}.")
    text = f"### `{name}`\n\n{' '.join(facts)}\n"
    for part, model in options_models(plugin).items():
        if rows := options_help(model):
            of = f"Of its {part}:\n\n" if part else ""
            text += f"\n{of}{_options(rows, {})}"
    return text


def _options(rows: list[OptionHelp], kinds: Mapping[str, Kind]) -> str:
    """A table of keys; those that name a plugin lead to the kind of it."""
    lines = []
    for row in rows:
        kind = kinds.get(row.name)
        of_type = row.type
        if kind is not None:
            many = "list of " if kind.key.endswith("[]") else ""
            of_type = f"{many}[{kind.name}]({link_to(kind)})"
        default = row.default if row.default == "required" else code(row.default)
        lines.append([code(row.name), of_type, default, row.allowed, row.description])
    head = ["Key", "Type", "Default", "Allowed", "Meaning"]
    shown = [i for i in range(len(head)) if i < 3 or any(line[i] for line in lines)]
    return table([head[i] for i in shown], [[line[i] for i in shown] for line in lines])


def commands_page(plugins: PluginManager) -> str:
    """The help of every command."""
    del plugins
    text = f"""{GENERATED}
# Commands

What `--help` says of each. [`audiogen generate`](../generate.md),
[prompts alone, `show` and `again`](../again.md), [`config`](../config.md),
[`models`](../models-command.md), [`plugins`](../plugins-command.md), [`embed`](../embed.md),
[`doctor`](../doctor.md) and [`report`](../report.md) have pages of their own.
"""
    # A terminal's width and the environment must not decide what stands on the page.
    with mock.patch.dict(os.environ, {"COLUMNS": "80"}):
        for words, command in _commands(typer.main.get_command(app), ("audiogen",)):
            context = command.make_context(" ".join(words), [], resilient_parsing=True)
            shown = re.sub(r"[ \t]+$", "", command.get_help(context), flags=re.MULTILINE)
            text += f"\n## `{' '.join(words)}`\n\n```text\n{shown.strip()}\n```\n"
    return text


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, (*words, name))


PAGES: Mapping[str, Callable[[PluginManager], str]] = {
    "config.md": config_page,
    "plugins.md": plugins_page,
    "commands.md": commands_page,
    "python.md": lambda _: GENERATED + python_page(),
}
"""The pages of docs/reference by their names."""
