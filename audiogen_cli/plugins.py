"""``audiogen plugins``: what is installed."""

from __future__ import annotations

import sys

import typer

from audiogen_core.plugin_manager import installed_plugins

app = typer.Typer(no_args_is_help=True, help="Look at the installed plugins.")


@app.callback()
def root() -> None:
    """Look at the installed plugins."""


@app.command("list")
def list_plugins() -> None:
    """List every plugin: its name, kind, distribution and version."""
    rows = [("NAME", "KIND", "DISTRIBUTION", "VERSION")]
    rows += [
        (one.name, registry.kind.name, one.origin.distribution, one.origin.version)
        for registry in installed_plugins().registries()
        for one in registry
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
