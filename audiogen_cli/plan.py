"""``audiogen plan`` and ``generate --dry-run``: what a run would make, and what it would take."""

from __future__ import annotations

import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from audiogen_core.errors import printable
from audiogen_core.sizes import size
from audiogen_core.terminal import text_width

if TYPE_CHECKING:
    from audiogen_core.forecast import Forecast
    from audiogen_core.interfaces.observer import Observer
    from audiogen_core.plugin_manager import PluginManager
    from audiogen_core.prepare import Prepared, Request

LABEL = 12
"""Columns of what stands on the left."""

NAMES = 5
"""How many names are shown."""

LEFT_OUT = ("dry_run", "play")
"""What `generate` has and its plan has no use for."""


def plan_of(generate: Callable[..., None]) -> Callable[..., None]:
    """The command that plans what another makes: it has all its options, whatever they are."""

    def plan(**arguments: Any) -> None:
        generate(**arguments, dry_run=True, play=False)

    signature = inspect.signature(generate, eval_str=True)
    kept = [one for name, one in signature.parameters.items() if name not in LEFT_OUT]
    plan.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    plan.__doc__ = """Show what generate would make with the same options, and make nothing.

    How many outputs, which of them stand already, in how many batches, under which names, how much
    disk they fill and, with --measure, how long it takes. Exit codes: 0 it would start, 1 the model
    cannot be had, 2 it would refuse, 130 interrupted.
    """
    return plan


def show_plan(
    request: Request,
    plugins: PluginManager,
    observer: Observer,
    *,
    as_json: bool,
    measured: bool,
) -> None:
    """Plans a request and prints what it would do.

    Raises:
        AudiogenError: The request is wrong, or the model cannot be had.
    """
    from audiogen_core.forecast import forecast, measure
    from audiogen_core.prepare import prepare

    prepared = prepare(request, plugins, observer)
    found = forecast(prepared)
    seconds = measure(prepared, found, observer) if measured else None
    observer.close()
    if as_json:
        for record in _records(prepared, found, seconds):
            sys.stdout.write(json.dumps(record) + "\n")
    else:
        sys.stdout.write(_text(prepared, found, seconds))


def _records(
    prepared: Prepared, found: Forecast, seconds: float | None
) -> Iterator[dict[str, Any]]:
    """An object about the whole, and one for each output."""
    request = prepared.request
    yield {
        "outputs": found.asked,
        "done": found.done,
        "left": found.left,
        "batches": found.batches,
        "largest_batch": found.largest,
        "shard": None if request.shard is None else list(request.shard),
        "audio_seconds": found.seconds,
        "bytes": found.size,
        "computing_seconds": seconds,
        "seeds_open": found.seeds_open,
        "output_dir": request.destination,
    }
    extension = request.config.encoder.EXTENSION
    for job in prepared.plan.jobs:
        yield {
            "name": f"{job.stem}{extension}",
            "sample": job.where,
            "seed": job.seed,
            "identity": job.identity,
            "left": job.index in prepared.left,
        }


def _text(prepared: Prepared, found: Forecast, seconds: float | None) -> str:
    """The same in words, as wide as text may be."""
    lines = []
    for label, text in _rows(prepared, found, seconds):
        lines += textwrap.wrap(
            printable(text),
            text_width(),
            initial_indent=f"{label:<{LABEL}}",
            subsequent_indent=" " * LABEL,
            break_long_words=True,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"


def _rows(prepared: Prepared, found: Forecast, seconds: float | None) -> Iterator[tuple[str, str]]:
    request = prepared.request
    yield "outputs", f"{found.asked:,}: {found.done:,} stand already, {found.left:,} to make"
    if request.shard is not None:
        number, count = request.shard
        yield "shard", f"{number} of {count}"
    yield "folder", request.destination
    if not found.left:
        return
    yield "batches", f"{found.batches:,} of up to {found.largest:,}"
    yield "audio", _duration(found.seconds)
    name = request.config.encoder.NAME
    what = "unknown" if found.size is None else f"about {size(found.size)}"
    yield "disk", f"{what} as '{name}'"
    yield (
        "time",
        "unknown; --measure finds out"
        if seconds is None
        else (f"about {_duration(seconds)} of computing here"),
    )
    if found.seeds_open:
        yield "seeds", "drawn when the run starts: those here, and names with them, are examples"
    extension = request.config.encoder.EXTENSION
    left = (job for job in prepared.plan.jobs if job.index in prepared.left)
    for number, job in zip(range(NAMES), left, strict=False):
        yield "" if number else "names", f"{job.stem}{extension}"
    if found.left > NAMES:
        yield "", f"and {found.left - NAMES:,} more"


def _duration(seconds: float) -> str:
    """A length of time in its largest fitting unit."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} seconds"
