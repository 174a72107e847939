"""``audiogen config``: the schema of configs, checks of them, and one to start from."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiogen_cli.arguments import ModelConfig, PretrainedName, Revision, Settings
from audiogen_cli.help import App
from audiogen_core.errors import AudiogenError, UsageError, listed
from audiogen_core.terminal import tell

if TYPE_CHECKING:
    from audiogen_core.config import GenerationConfig
    from audiogen_core.models.source import ModelSource
    from audiogen_core.plugin_manager import PluginManager

app = App("Write and check generation configs.")


class FileFormat(StrEnum):
    """The formats of a config."""

    YAML = "yaml"
    TOML = "toml"
    JSON = "json"


ENDINGS = {
    ".yaml": FileFormat.YAML,
    ".yml": FileFormat.YAML,
    ".toml": FileFormat.TOML,
    ".json": FileFormat.JSON,
}


@app.callback()
def root() -> None:
    """Write and check generation configs."""


@app.command("schema")
def schema(
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File to write, replaced if it exists; else standard output."
        ),
    ] = None,
) -> None:
    """Write the JSON Schema of generation configs, for the plugins that are installed.

    Editors complete and check configs with it.
    """
    from audiogen_core.config_schema import config_schema
    from audiogen_core.plugin_manager import installed_plugins

    text = json.dumps(config_schema(installed_plugins()), indent=2) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}") from None


@app.command("init")
def init(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="File to write, .yaml, .toml or .json; else standard output."
        ),
    ] = None,
    file_format: Annotated[
        FileFormat | None,
        typer.Option("--format", help="Format for standard output; yaml by default."),
    ] = None,
) -> None:
    """Write a commented generation config to start from. An existing file is left as it is."""
    from audiogen_core.config_template import template
    from audiogen_core.plugin_manager import installed_plugins

    if file is None:
        sys.stdout.write(template(installed_plugins(), file_format or FileFormat.YAML))
        return
    ending = ENDINGS.get(file.suffix.lower())
    if ending is None:
        raise UsageError(f"{file}: must end in one of {listed(ENDINGS)}")
    if file_format not in (None, ending):
        raise UsageError(f"{file}: its ending says {ending}, --format says {file_format}")
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(template(installed_plugins(), ending))
    except FileExistsError:
        raise UsageError(f"{file}: exists already and is not replaced") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None


@app.command("validate")
def validate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Generation configs; - reads one.")
    ],
    pretrained_name: PretrainedName = None,
    revision: Revision = None,
    model_config: ModelConfig = None,
    settings: Settings = None,
) -> None:
    """Check generation configs without generating anything.

    Without a model, all is checked that every model shares. With one, what its config decides is
    checked too; no weights are read. Exit codes: 0 all are fine, 1 the model config cannot be had
    this time, 2 some are wrong.
    """
    from audiogen_cli.reading import read_config
    from audiogen_core.overrides import Overrides, parse_setting
    from audiogen_core.plugin_manager import installed_plugins
    from audiogen_core.sample_checks import check_samples

    model = _model(pretrained_name, revision, model_config)
    overrides = Overrides([parse_setting(text) for text in settings or ()])
    plugins = installed_plugins()
    code = 0
    for file in files:
        try:
            config = read_config(file, plugins, overrides=overrides)
            with overrides.explained():
                if model is None:
                    check_samples(config, plugins)
                else:
                    _check_against(model, config, plugins)
        except AudiogenError as error:
            tell(f"error: {error}")
            code = max(code, error.exit_code)
        else:
            sys.stdout.write(f"{file}: ok\n")
    if code:
        raise typer.Exit(code)


def _model(
    pretrained_name: str | None, revision: str | None, model_config: Path | None
) -> ModelSource | None:
    if revision is not None and pretrained_name is None:
        raise UsageError("--revision goes with --pretrained-name")
    if pretrained_name is not None and model_config is not None:
        raise UsageError("--pretrained-name and --model-config exclude each other")
    if pretrained_name is not None:
        from audiogen_core.models.source import HubSource

        return HubSource(pretrained_name, revision)
    if model_config is not None:
        from audiogen_core.models.source import LocalConfig

        return LocalConfig(model_config)
    return None


def _check_against(model: ModelSource, config: GenerationConfig, plugins: PluginManager) -> None:
    """Checks all that can be checked before a model's weights are read.

    The output folder, and what stands in it, is a matter of the run.
    """
    import torch

    from audiogen_core.observer import Observers
    from audiogen_core.prepare import Request, check

    check(Request(config, model, torch.device("cpu")), plugins, Observers([], plugins))
