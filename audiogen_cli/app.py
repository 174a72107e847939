"""The ``audiogen`` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, TextIO

import typer

import audiogen_core
from audiogen_cli import (
    again,
    config,
    doctor,
    embed,
    generate,
    manifest,
    models,
    plan,
    plugins,
    report,
    show,
)
from audiogen_cli.help import App
from audiogen_core.errors import EXIT_INTERRUPTED, AudiogenError
from audiogen_core.hooks import DISABLE, PluginWarning
from audiogen_core.terminal import tell

app = App(
    "Generate audio with Stable-Audio-format latent diffusion models, from a config.",
    name="audiogen",
)
app.command("generate")(generate.generate)
app.command("plan")(plan.plan_of(generate.generate))
app.command("show")(show.show)
app.command("again")(again.again)
app.command("embed")(embed.embed)
app.command("doctor")(doctor.doctor)
app.command("manifest")(manifest.manifest)
app.command("report")(report.report)
app.add_typer(plugins.app, name="plugins")
app.add_typer(config.app, name="config")
app.add_typer(models.app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"audiogen {audiogen_core.__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    no_third_party: Annotated[
        bool, typer.Option("--no-third-party", help="Load the built-in plugins only.")
    ] = False,
) -> None:
    """Generate audio with Stable-Audio-format latent diffusion models, from a config."""
    del version
    if no_third_party:
        os.environ[DISABLE] = "*"


def main() -> None:
    """Runs the command; every error made for users is one message and an exit code."""
    # Closed by whoever started us: the files and the exit code still count.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    warnings.showwarning = _show_warning
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # Names hold what a terminal's or a pipe's encoding may lack; standard error copes already.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="audiogen")
    except AudiogenError as error:
        tell(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        tell("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as ended:
        # Of a signal that comes before a command handles them, typer makes a code without a word.
        if isinstance(getattr(ended.__context__, "__cause__", None), KeyboardInterrupt):
            tell("interrupted")
        raise


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


_show_other_warning = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    if issubclass(category, PluginWarning):
        tell(f"warning: {message}")
    else:
        _show_other_warning(message, category, filename, lineno, None, line)
    del file
