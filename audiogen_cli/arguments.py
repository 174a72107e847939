"""Arguments that several commands take, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Another value of the config, such as generation.steps=50. Repeatable.",
    ),
]
PretrainedName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Model on the Hugging Face Hub, like owner/name.")
]
Revision = Annotated[
    str | None, typer.Option(metavar="REV", help="Branch, tag or commit of the model on the Hub.")
]
ModelConfig = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Model config of a local model, a JSON file.")
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Checkpoint of a local model, .safetensors or .ckpt."),
]
AutoencoderCheckpoint = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Checkpoint whose autoencoder replaces the model's own."),
]
Play = Annotated[bool, typer.Option("--play", help="Play each file as soon as it is finished.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only results, warnings and failures.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PluginKind = Annotated[
    str | None,
    typer.Option(metavar="KIND", help="Only plugins of this kind, like sampler or input-source."),
]
