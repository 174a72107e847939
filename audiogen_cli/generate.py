"""``audiogen generate``: makes the outputs of a generation config."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiogen_cli.arguments import (
    AutoencoderCheckpoint,
    Checkpoint,
    ModelConfig,
    Play,
    PretrainedName,
    Quiet,
    Revision,
    Settings,
)
from audiogen_core.errors import (
    EXIT_INTERRUPTED,
    EXIT_RUN_FAILED,
    EXIT_SOME_FAILED,
    InputError,
    Problem,
    UsageError,
    listed,
)
from audiogen_core.on_existing import OnExisting
from audiogen_core.precision import Precision, Quantization
from audiogen_core.storage.address import is_address
from audiogen_core.terminal import tell

if TYPE_CHECKING:
    from audiogen_core.interfaces.executor import Executor
    from audiogen_core.interfaces.observer import Observer
    from audiogen_core.outcome import Outcome
    from audiogen_core.overrides import Overrides
    from audiogen_core.plugin_manager import PluginManager


def generate(
    generation_config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Generation config: JSON, TOML or YAML; - reads JSON from standard input.",
        ),
    ] = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="TEXT",
            help="What to hear, in place of a config's input. Repeatable.",
        ),
    ] = None,
    file_format: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Audio format, such as flac.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Folder to write to.")
    ] = None,
    seconds: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Length of what does not say its own, in seconds."),
    ] = None,
    settings: Settings = None,
    pretrained_name: PretrainedName = None,
    revision: Revision = None,
    model_config: ModelConfig = None,
    ckpt_path: Checkpoint = None,
    pretransform_ckpt_path: AutoencoderCheckpoint = None,
    model_half: Annotated[bool, typer.Option("--model-half", help="Use 16-bit weights.")] = False,
    dtype: Annotated[
        Precision | None,
        typer.Option(
            help="Type of the weights, float32 by default; auto is 16 bits where they are faster."
        ),
    ] = None,
    quantize: Annotated[
        Quantization | None,
        typer.Option(help="Faster on a CPU, and less exact: the network in 8-bit integers."),
    ] = None,
    compile_: Annotated[
        bool,
        typer.Option("--compile", help="Compile the network first, for long runs (torch.compile)."),
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="cuda, mps, xpu or cpu; the best there is by default."),
    ] = None,
    max_batch: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Outputs sampled together; by the free memory by default."
        ),
    ] = None,
    on_existing: Annotated[
        OnExisting,
        typer.Option(
            help="What happens where something else has an output's name. What was made from the "
            "same is left as it is, except by error."
        ),
    ] = OnExisting.SKIP,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Make only what failed before.")
    ] = False,
    new_seeds: Annotated[
        bool,
        typer.Option("--new-seeds", help="Draw seeds anew that the output folder has fixed."),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Make every N-th sample from the I-th, 1/1 to N/N."),
    ] = None,
    executor: Annotated[
        str, typer.Option(metavar="NAME", help="Who makes the outputs: local, processes or ray.")
    ] = "local",
    executor_options: Annotated[
        list[str] | None,
        typer.Option(
            "--executor-option",
            metavar="KEY=VALUE",
            help="An option of the executor, such as workers=2. Repeatable.",
        ),
    ] = None,
    play: Play = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Show a plan as JSON: its sums, then an output a line.")
    ] = False,
    measured: Annotated[
        bool, typer.Option("--measure", help="Load the model for a plan, and time some steps.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Generate audio from prompts or a generation config.

    The paths of the finished files go to standard output, everything else to standard error.
    What stands in the output folder already is not made again: the same command goes on where it
    was ended. Exit codes: 0 all written, 1 the run failed, 2 wrong usage or config, 3 some outputs
    failed, 130 interrupted.

    Without a model, the small one that ships with audiogen is used: it makes drums, tones, chords
    and effects of up to four seconds.
    """
    # Not at the top, for the sake of --help.
    from audiogen_cli.plan import show_plan
    from audiogen_cli.playing import Playback
    from audiogen_cli.reading import build_config, read_config
    from audiogen_core.default_model import suggested
    from audiogen_core.interrupts import stoppable
    from audiogen_core.models.named import model_source
    from audiogen_core.plugin_manager import installed_plugins

    if generation_config is None and not prompts:
        raise UsageError(NOTHING_TO_GENERATE)
    if model_half and dtype is not None:
        raise UsageError("--model-half and --dtype exclude each other")
    if retry_failed and new_seeds:
        raise UsageError(
            "--retry-failed and --new-seeds exclude each other: with other seeds, nothing that is "
            "asked for has failed"
        )
    if (as_json or measured) and not dry_run:
        raise UsageError("--json and --measure go with --dry-run, or with audiogen plan")
    if play and dry_run:
        raise UsageError("--play plays files that are made, and --dry-run makes none")
    part = _shard(shard)
    plugins = installed_plugins()
    maker = _executor(executor, executor_options or [], plugins)
    overrides = _overrides(prompts, file_format, out, seconds, settings)
    source = model_source(pretrained_name, revision, model_config, ckpt_path)
    if generation_config is not None:
        config = read_config(generation_config, plugins, "--generation-config -", overrides)
    else:
        config = build_config(suggested(source), plugins, "", overrides)
    if play and is_address(config.output.output_dir):
        raise UsageError("--play plays files of a folder, and output.output_dir is an address")
    playback = Playback([config.encoder.EXTENSION]) if play else None
    progress = display(config.observers, plugins, quiet=quiet)
    observers = [progress, playback] if playback is not None else [progress]
    try:
        with stoppable(), overrides.explained():
            progress.stage("starting")
            # Only now what takes seconds to import.
            from audiogen_core.devices import choose_device, choose_type, half_type
            from audiogen_core.pipeline import run
            from audiogen_core.prepare import Request

            place = choose_device(device)
            request = Request(
                config,
                source,
                place,
                autoencoder_path=pretransform_ckpt_path,
                dtype=half_type(place)
                if model_half
                else choose_type(dtype or Precision.FLOAT32, place),
                quantization=quantize,
                compiled=compile_,
                max_batch=max_batch,
                on_existing=on_existing,
                shard=part,
                retry_failed=retry_failed,
                new_seeds=new_seeds,
            )
            if dry_run:
                show_plan(request, plugins, progress, as_json=as_json, measured=measured)
                return
            outcome = run(request, plugins, observers, executor=maker)
    except KeyboardInterrupt:
        tell("interrupted: nothing was made yet")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        progress.close()
    if playback is not None:
        playback.wait()
    report(outcome)


def _executor(name: str, settings: Sequence[str], plugins: PluginManager) -> Executor:
    """The executor with its options.

    Raises:
        InputError: There is none of this name, or an option is wrong.
    """
    from audiogen_core.options import validate
    from audiogen_core.overrides import Overrides, parse_setting

    registry = plugins.executors
    plugin = registry.named(name, "--executor")
    option, form = "--executor-option", "key=value, such as workers=2"
    overrides = Overrides([parse_setting(text, option, form) for text in settings])
    options: Any = overrides.applied({})
    if options and not plugin.Options.model_fields:
        able = [one.NAME for one in registry.classes() if one.Options.model_fields]
        what = f"executor '{name}' has no options; --executor {listed(able)} have"
        raise InputError(Problem(option, what))
    with registry.calling(name, "--executor"):
        return plugin(validate(plugin.Options, options, option))


NOTHING_TO_GENERATE = """\
nothing to generate: give prompts, or a config:
  audiogen generate --prompt "rising siren"
  audiogen generate --generation-config cfg.json"""


def _overrides(
    prompts: list[str] | None,
    file_format: str | None,
    out: str | None,
    seconds: str | None,
    settings: list[str] | None,
) -> Overrides:
    """What the arguments put into the config: ``--set`` counts more than what has its own name.

    Raises:
        UsageError: One of them has not the right form.
    """
    from audiogen_core.overrides import Override, Overrides, parse_setting, prompts_override

    made = [prompts_override(prompts)] if prompts else []
    if file_format is not None:
        made.append(Override(("output", "file_format"), file_format, f"--format {file_format}"))
    if out is not None:
        made.append(Override(("output", "output_dir"), out, f"--out {out}"))
    if seconds is not None:
        setting = parse_setting(f"conditioning_defaults.seconds_total={seconds}")
        made.append(replace(setting, argument=f"--seconds {seconds}"))
    return Overrides([*made, *(parse_setting(text) for text in settings or ())])


def report(outcome: Outcome) -> None:
    """What came of a run, in words and as an exit code."""
    written = len(outcome.written)
    if failed := len(outcome.failures):
        outputs = f"output{'s' * (written != 1)}"
        tell(f"{written} {outputs} written, {failed} failed")
    if outcome.stopped is not None:
        tell(f"error: {outcome.stopped}: {written} written, {outcome.left} left")
        raise typer.Exit(EXIT_RUN_FAILED)
    if outcome.interrupted:
        tell(f"interrupted: {written} written, {outcome.left} left")
        raise typer.Exit(EXIT_INTERRUPTED)
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def display(observers: Sequence[Observer], plugins: PluginManager, *, quiet: bool) -> Observer:
    """The display: the one among a config's observers, unless it is to be quiet."""
    named = [one for one in observers if one.NAME == "progress"]
    if named and not quiet:
        return named[0]
    plugin = plugins.observers.load("progress")
    return plugin(plugin.Options.model_validate({"display": "quiet" if quiet else "auto"}))


def _shard(text: str | None) -> tuple[int, int] | None:
    """The two numbers of ``--shard``.

    Raises:
        UsageError: They are none.
    """
    if text is None:
        return None
    from audiogen_core.options import shown

    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise UsageError(f"--shard must be like 1/4, the first of four parts, not {shown(text)}")
    return number, count
