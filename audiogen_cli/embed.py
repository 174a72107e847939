"""``audiogen embed``: makes audio prompts from audio files."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiogen_core.errors import EXIT_SOME_FAILED, AudiogenError
from audiogen_core.terminal import tell

if TYPE_CHECKING:
    from audiogen_core.interfaces.embedder import Embedder
    from audiogen_core.overrides import Overrides


@dataclass(frozen=True)
class Row:
    """What came of a file: ``written``, ``skipped`` or ``failed``."""

    file: str
    path: str
    status: str
    shape: tuple[int, ...] | None = None
    cause: str | None = None


def embed(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Audio of any format.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")],
    embedder: Annotated[
        str, typer.Option(metavar="NAME", help="What makes the embeddings.")
    ] = "clap",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="An option of the embedder, such as model=laion/clap-htsat-unfused. Repeatable.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="cuda, mps, xpu or cpu; the best there is by default."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make again what has a file of its name already.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each file.")
    ] = False,
) -> None:
    """Make .npy audio prompts from audio files, for models that take such embeddings.

    The paths of the written files go to standard output, everything else to standard error. Exit
    codes: 0 all written or there already, 1 the model cannot be had or nothing could be written
    any more, 2 wrong usage, 3 some files failed.
    """
    # Not at the top, for the sake of --help.
    from audiogen_core.embedding import targets
    from audiogen_core.overrides import Overrides, parse_setting

    form = "key=value, such as model=laion/clap-htsat-unfused"
    overrides = Overrides([parse_setting(text, form=form) for text in settings or ()])
    made = _embedder(embedder, overrides)
    paths = targets(files, out)
    left = {path for path in paths if overwrite or not path.exists()}
    if left:
        _load(made, device, overrides)
    rows = []
    for file, path in zip(files, paths, strict=True):
        skipped = Row(str(file), str(path), "skipped")
        rows.append(_row(made, file, path) if path in left else skipped)
        _tell(rows[-1], as_json=as_json)
    if any(row.status == "failed" for row in rows):
        raise typer.Exit(EXIT_SOME_FAILED)


def _embedder(name: str, overrides: Overrides) -> Embedder:
    """The embedder with its options.

    Raises:
        InputError: There is none of this name, or an option is wrong.
    """
    from audiogen_core.options import validate
    from audiogen_core.plugin_manager import installed_plugins

    registry = installed_plugins().embedders
    plugin = registry.named(name, "--embedder")
    options: Any = overrides.applied({})
    with overrides.explained(), registry.calling(name, "--embedder"):
        return plugin(validate(plugin.Options, options))


def _load(embedder: Embedder, device: str | None, overrides: Overrides) -> None:
    from audiogen_core.plugin_manager import installed_plugins

    tell(f"loading {embedder.NAME}")
    # Only now what takes seconds to import.
    from audiogen_core.devices import choose_device
    from audiogen_core.downloads import unreported

    registry = installed_plugins().embedders
    with overrides.explained(), registry.calling(embedder.NAME, "--embedder"):
        embedder.load(choose_device(device), unreported)


def _row(embedder: Embedder, file: Path, path: Path) -> Row:
    """Embeds one file; what goes wrong costs only that one, unless nothing can be written."""
    from audiogen_core.embedding import embedded, write_embedding
    from audiogen_core.registry import describe

    try:
        embedding = embedded(embedder, file)
    except ValueError as error:
        return Row(str(file), str(path), "failed", cause=str(error))
    except (Exception, SystemExit) as error:  # an embedder may fail in any way
        return Row(str(file), str(path), "failed", cause=describe(error))
    try:
        write_embedding(path, embedding)
    except OSError as error:
        raise AudiogenError(f"'{path}' cannot be written: {error.strerror}") from None
    return Row(str(file), str(path), "written", embedding.shape)


def _tell(row: Row, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(f"{json.dumps(asdict(row))}\n")
    elif row.status == "written":
        sys.stdout.write(f"{row.path}\n")
    elif row.status == "skipped":
        tell(f"note: {row.path} stands already; --overwrite makes it again")
    if row.status == "failed":
        tell(f"failed: {row.file}: {row.cause}")
    sys.stdout.flush()
