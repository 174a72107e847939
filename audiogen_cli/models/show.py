"""``audiogen models show``: what a model is, takes and needs."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiogen_cli.arguments import AsJson, Revision
from audiogen_core.terminal import tell, text_width

if TYPE_CHECKING:
    from audiogen_core.models.description import ConditionerDescription, ModelDescription

LABEL_WIDTH = 14


def show_model(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_PATH",
            help="A model of the Hub like owner/name, a folder or model config, or 'default'.",
        ),
    ],
    revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """Show a model: objective, samplers, conditioners, lengths, parameters and memory.

    No weights are loaded. Of a model of the Hub, only the config is downloaded, unless the cache
    holds it.
    """
    from audiogen_core.models.catalog import checkpoint_at_hand, named_model
    from audiogen_core.models.description import describe_model
    from audiogen_core.plugin_manager import installed_plugins

    source = named_model(name, revision)
    config = source.config()
    found = describe_model(name, config, installed_plugins(), checkpoint_at_hand(source))
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n")
        return
    for note in config.notes:
        tell(f"note: {note}")
    sys.stdout.write(_text(found))


def _text(model: ModelDescription) -> str:
    from audiogen_core.sizes import size

    total = sum(model.parameters.values())
    parts = ", ".join(f"{part} {_count(count)}" for part, count in model.parameters.items())
    facts = {
        "objective": model.objective,
        "sampler": f"{model.sampler} by default; fit: {', '.join(model.samplers)}",
        "audio": f"{model.sample_rate} Hz, {model.channels} channel{'s' * (model.channels != 1)}, "
        f"up to {model.seconds:.1f} seconds",
        "latents": f"{model.latents} of {model.latent_channels} channels",
        "parameters": f"{_count(total)}: {parts}",
        "weights": f"{model.checkpoint}, {', '.join(model.stored)}"
        if model.checkpoint is not None
        else "not on this machine; the parameters are those of the networks of the config",
    }
    labels = {"float32": "float32", "float16": "--model-half"}
    facts["memory"] = "; ".join(
        f"{labels[dtype]}: {size(one.weights)} of weights, {size(one.sampling)} to sample an output"
        for dtype, one in model.memory.items()
    )
    text = f"{model.name}, {model.model_type}\n\n"
    text += "".join(_fact(label, what) for label, what in facts.items())
    text += "\nConditioners:\n"
    return text + ("".join(map(_conditioner, model.conditioners)) or "  none\n")


def _fact(label: str, text: str) -> str:
    return _wrapped(text, f"  {label.ljust(LABEL_WIDTH)}", " " * (2 + LABEL_WIDTH))


def _conditioner(one: ConditionerDescription) -> str:
    options = ", ".join(f"{key} {_value(value)}" for key, value in one.options.items())
    inputs = ", ".join(one.inputs) or "not used by the network"
    default = "" if one.default_key is None else f"; reads '{one.default_key}' where it is left out"
    head = f"{one.id}: {one.type}, {inputs}{default}"
    return _wrapped(head, "  ", "      ") + (_wrapped(options, "    ", "    ") if options else "")


def _wrapped(text: str, first: str, others: str) -> str:
    """The text in lines; a path stays whole, so that it can be copied."""
    body = textwrap.fill(
        text,
        text_width(),
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return f"{body}\n"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _count(count: int) -> str:
    """Numbers of parameters in words: ``1.2 billion``."""
    for unit, name in ((10**9, " billion"), (10**6, " million"), (10**3, " thousand")):
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return str(count)
