"""``audiogen models pull``: downloads what generating with a model needs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from audiogen_cli.arguments import Revision


def pull_model(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Model on the Hugging Face Hub, like owner/name.")
    ],
    revision: Revision = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but the path.")
    ] = False,
) -> None:
    """Download a model and the text encoders that it names, and print where its weights are.

    Afterwards it works with HF_HUB_OFFLINE=1. What the cache holds is not downloaded again.
    """
    from audiogen_core.models.source import HubSource
    from audiogen_core.plugin_manager import installed_plugins

    plugins = installed_plugins()
    plugin = plugins.observers.load("progress")
    display = plugin(plugin.Options.model_validate({"display": "quiet" if quiet else "auto"}))
    try:
        display.stage("starting")
        # Only now what takes seconds to import.
        from audiogen_core.models.pull import pull

        path = pull(HubSource(name, revision), plugins, display)
    finally:
        display.close()
    sys.stdout.write(f"{path}\n")
