"""``audiogen again``: makes files again from their own metadata."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiogen_cli.arguments import (
    AutoencoderCheckpoint,
    Checkpoint,
    ModelConfig,
    Play,
    Quiet,
    Settings,
)
from audiogen_core.errors import EXIT_INTERRUPTED, UsageError
from audiogen_core.on_existing import OnExisting
from audiogen_core.terminal import tell

if TYPE_CHECKING:
    from audiogen_core.again import Repeat
    from audiogen_core.interfaces.observer import Observer


def again(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Audio files, or their metadata.")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Folder or address to write to, or a name for the one file; beside each else.",
        ),
    ] = None,
    settings: Settings = None,
    model_config: ModelConfig = None,
    ckpt_path: Checkpoint = None,
    pretransform_ckpt_path: AutoencoderCheckpoint = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="cuda, mps, xpu or cpu; what made each file by default."),
    ] = None,
    on_existing: Annotated[
        OnExisting | None,
        typer.Option(
            help="What happens where something else has a name: skip by default with --out, "
            "else rename."
        ),
    ] = None,
    play: Play = False,
    quiet: Quiet = False,
) -> None:
    """Make files again from their own metadata, the same to the last bit on the same machine.

    The metadata is read from the JSON file beside each, or else from its tags. A file that is made
    again beside the old one has "-again" in its name. A model on
    this machine is taken from where it was, or from where the arguments say that it is now. Exit
    codes are those of generate.
    """
    # Not at the top, for the sake of --help.
    from audiogen_cli.generate import display, report
    from audiogen_cli.playing import Playback
    from audiogen_core.interrupts import stoppable
    from audiogen_core.models.named import model_source
    from audiogen_core.overrides import Overrides, parse_setting
    from audiogen_core.plugin_manager import installed_plugins
    from audiogen_core.recall import recall
    from audiogen_core.storage.address import is_address

    overrides = Overrides([parse_setting(text) for text in settings or ()])
    folder, name = _target(out, len(files))
    local = None
    if model_config is not None or ckpt_path is not None:
        local = model_source(None, None, model_config, ckpt_path)
    recalled = [recall(one) for one in files]
    plugins = installed_plugins()
    progress = display((), plugins, quiet=quiet)
    playback = None
    try:
        with stoppable():
            progress.stage("starting")
            # Only now what takes seconds to import.
            from audiogen_core.again import Wishes, check_distinct, make_again, prepare_again

            wishes = Wishes(
                folder,
                name,
                overrides,
                local,
                pretransform_ckpt_path,
                device,
                on_existing or (OnExisting.RENAME if out is None else OnExisting.SKIP),
            )
            repeats = [prepare_again(one, wishes, plugins, progress) for one in recalled]
            check_distinct(repeats)
            for one in repeats:
                _warn_of_changes(one, changed=bool(overrides))
            if play and any(is_address(one.prepared.request.destination) for one in repeats):
                raise UsageError("--play plays files of a folder, and --out is an address")
            if play:
                playback = Playback(one.path.suffix for one in repeats)
            observers = [progress, playback] if playback is not None else [progress]
            outcome = make_again(repeats, plugins, observers)
    except KeyboardInterrupt:
        tell("interrupted: nothing was made yet")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        progress.close()
    for one in repeats:
        if one.is_same and one.path in outcome.written and one.is_comparable:
            _compare(one, progress)
    if playback is not None:
        playback.wait()
    report(outcome)


def _target(out: str | None, files: int) -> tuple[str | None, str | None]:
    """The folder or address that ``--out`` means, and the name in it if it means one file.

    Raises:
        UsageError: It means one file, and there are several to make.
    """
    if out is None:
        return None, None
    if "://" in out:
        folder, _, name = out.rpartition("/")
        is_folder = folder.endswith("/")  # the name is the store's own, as in s3://sounds.org
    else:
        folder, name = str(Path(out).parent), Path(out).name
        is_dir = os.path.isdir(out)  # noqa: PTH112, its name may be too long
        is_folder = is_dir or out.endswith(os.sep)
    if is_folder or out.endswith("/") or not Path(name).suffix:
        return out, None
    if files > 1:
        raise UsageError(f"--out {out}: must be a folder for {files} files; add a / to its name")
    return folder, name


def _warn_of_changes(repeat: Repeat, *, changed: bool) -> None:
    """What the user should know before: the model is another, or something else has changed."""
    path = repeat.recalled.path
    if changes := repeat.model_changes():
        lines = "".join(f"\n  {one}" for one in changes)
        tell(f"warning: the model is not the one that made {path}:{lines}")
    elif changed or repeat.is_same:
        return
    elif keys := repeat.changed_recordings():
        named = ", ".join(f"{key}, '{repeat.job.values[key]}'" for key in keys)
        tell(f"warning: {path} was made from another recording than there is now: {named}")
    else:
        tell(
            f"warning: {path} was made from something else than there is now, such as another "
            "content of a file in its conditioning"
        )


def _compare(repeat: Repeat, observer: Observer) -> None:
    """Says whether a file that was made from the same is the same."""
    from audiogen_core.again import changes_of_bytes

    old, changes = repeat.recalled.path, changes_of_bytes(repeat)
    if changes is None:
        observer.note(f"{repeat.path} is {old} to the last bit")
        return
    why = "".join(f"\n  {one}" for one in changes)
    why = why or " nothing that the metadata tells: the old file was changed, or the machine was"
    tell(
        f"warning: {repeat.path} is made as {old} was, and has other bytes. "
        f"What is not as it was:{why}"
    )
