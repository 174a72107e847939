"""``audiogen plugins list``: everything that is installed, also what could not be loaded."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from audiogen_cli.arguments import AsJson, PluginKind
from audiogen_core.terminal import fitted, text_width

if TYPE_CHECKING:
    from audiogen_core.plugin_manager import PluginManager
    from audiogen_core.registry import Kind


@dataclass(frozen=True)
class Row:
    """A line of the list; ``kind`` is None where a whole entry point is missing."""

    name: str
    kind: str | None
    distribution: str
    version: str
    status: str
    cause: str | None = None


def list_plugins(
    kind: PluginKind = None,
    as_json: AsJson = False,
) -> None:
    """List every plugin: its name, kind, distribution, version and status.

    The status is ok, disabled or failed. Plugins are imported when they are first used, so that
    this list is fast: `audiogen plugins check` imports and tries them.
    """
    from audiogen_core.plugin_manager import installed_plugins
    from audiogen_core.registry import kind_named

    wanted = None if kind is None else kind_named(kind)
    rows = rows_of(installed_plugins(), wanted)
    if as_json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        sys.stdout.write(fitted(table(rows), sys.stdout))


def rows_of(plugins: PluginManager, wanted: Kind | None) -> list[Row]:
    """The plugins of a kind or of all, and what is missing and may be of that kind."""
    rows = [
        Row(one.name, registry.kind.name, one.origin.distribution, one.origin.version, "ok")
        for registry in plugins.registries()
        if wanted in (None, registry.kind)
        for one in registry
    ]
    rows += [
        Row(
            one.name,
            None if one.kind is None else one.kind.name,
            one.origin.distribution,
            one.origin.version,
            "disabled" if one.disabled else "failed",
            one.cause or None,
        )
        for one in plugins.missing
        if wanted is None or one.kind in (None, wanted)
    ]
    return rows


def table(rows: list[Row]) -> str:
    """The rows in columns, the cause of a failure below its row."""
    lines = [("NAME", "KIND", "DISTRIBUTION", "VERSION", "STATUS")]
    lines += [
        (row.name, row.kind or "entry point", row.distribution, row.version, row.status)
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    text = ""
    for line, row in zip(lines, [None, *rows], strict=True):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        text += "  ".join(cells).rstrip() + "\n"
        if row is not None and row.cause is not None:
            text += textwrap.indent(textwrap.fill(row.cause, text_width() - 4), "    ") + "\n"
    return text
