"""``audiogen show``: how a file was made."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiogen_core.errors import InputError, printable
from audiogen_core.terminal import tell, text_width

if TYPE_CHECKING:
    from audiogen_core.recall import Recalled

LABEL = 18
"""Columns of what stands on the left."""

NAMED = ("sampler_type", "steps", "cfg_scale", "seed")
"""The values of ``generation`` that are shown first."""


def show(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Audio files, or their metadata.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole metadata, a JSON object a line.")
    ] = False,
) -> None:
    """Show how files were made: prompt, seed, settings, model and format.

    It is read from the JSON file beside each, or else from its tags. Exit codes: 0 all are shown,
    2 some say nothing that can be read.
    """
    from audiogen_core.recall import recall

    failed = False
    shown = 0
    for file in files:
        try:
            recalled = recall(file)
        except InputError as error:
            tell(f"error: {error}")
            failed = True
            continue
        if as_json:
            sys.stdout.write(json.dumps(recalled.content) + "\n")
        else:
            sys.stdout.write(("\n" if shown else "") + described(recalled))
        shown += 1
    if failed:
        raise typer.Exit(2)


def described(recalled: Recalled) -> str:
    """The metadata in words, as wide as text may be; a long word keeps a line of its own."""
    lines = [printable(str(recalled.path))]
    for label, text in _rows(recalled):
        lines += textwrap.wrap(
            printable(text) or '""',
            text_width(),
            initial_indent=f"  {printable(label):<{LABEL - 2}}",
            subsequent_indent=" " * LABEL,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"


def _rows(recalled: Recalled) -> Iterator[tuple[str, str]]:
    """What is shown, in its order: a label and a text each."""
    document = recalled.document
    for key, value in document.conditioning.items():
        if value is not None:
            yield key.replace("_", " ")[: LABEL - 3], _text(value)
    generation = document.generation_config
    yield "seed", _text(generation.get("seed", "not known"))
    yield (
        "sampler",
        _list(
            [
                _text(generation.get("sampler_type", "not known")),
                *(
                    f"{_text(generation[key])} steps"
                    if key == "steps"
                    else f"{key} {generation[key]}"
                    for key in ("steps", "cfg_scale")
                    if key in generation
                ),
            ]
        ),
    )
    others = [f"{key} {_text(value)}" for key, value in generation.items() if key not in NAMED]
    if others:
        yield "settings", _list(others)
    if document.model:
        yield "model", _list(_model(document.model))
    yield "format", _list(_format(recalled))
    if document.output.post_processing is not None:
        chain = [_plugin(one) for one in document.output.post_processing]
        yield "post-processing", _list(chain) or "none"
    if document.batch.size > 1:
        yield "batch", f"number {document.batch.index + 1} of {document.batch.size}"
    if document.software:
        yield "made by", _list(_software(document.software))
    if recalled.identity:
        yield "identity", recalled.identity
    yield "told by", recalled.origin


def _model(model: Mapping[str, Any]) -> Iterator[str]:
    match model:
        case {"default_model": name}:
            yield f"{_text(name)}, which ships with audiogen"
        case {"pretrained_name": name}:
            yield _text(name)
            if model.get("revision"):
                yield f"revision {_text(model['revision'])}"
        case {"ckpt_path": path}:
            yield _text(path)
    if path := model.get("pretransform_ckpt_path"):
        yield f"autoencoder of {_text(path)}"
    if (rounded := model.get("quantize")) is not None:
        yield f"network in {_text(rounded)}"
    if model.get("compile"):
        yield "compiled"


def _format(recalled: Recalled) -> Iterator[str]:
    document, output = recalled.document, recalled.content.get("output", {})
    options = document.output.file_format_options
    yield _plugin({"name": document.file_format, **options})
    if "seconds" in output:
        yield f"{_text(output['seconds'])} s"
    if document.sample_rate is not None:
        yield f"{document.sample_rate} Hz"
    if "channels" in output:
        channels = _text(output["channels"])
        yield {"1": "mono", "2": "stereo"}.get(channels, f"{channels} channels")


def _software(software: Mapping[str, Any]) -> Iterator[str]:
    yield f"audiogen {_text(software.get('audiogen', 'of no known version'))}"
    if "device" in software:
        yield f"on {_text(software['device'])}"
    if "dtype" in software:
        yield f"in {_text(software['dtype'])}"
    plugins = software.get("plugins")
    if isinstance(plugins, dict):
        own = f"audiogen {software.get('audiogen')}"
        for key, origin in plugins.items():
            if origin != own:
                yield f"{key} of {_text(origin)}"


def _plugin(value: Mapping[str, Any]) -> str:
    """A plugin with its options: ``peak (level 0.0)``."""
    options = ", ".join(f"{key} {_text(one)}" for key, one in value.items() if key != "name")
    return (
        f"{_text(value.get('name', ''))} ({options})" if options else _text(value.get("name", ""))
    )


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _list(texts: Any) -> str:
    return ", ".join(texts)
