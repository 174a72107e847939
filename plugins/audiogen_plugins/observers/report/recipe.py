"""From the metadata of an output to the config, and the command, that make it again.

All of it stays text: a page's script would make 7 of 7.0, and round a large seed.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiogen_core.tags import without_folders

OF_A_SAMPLE = ("steps", "cfg_scale")
"""The keys of ``generation`` that stand in the sample, besides its seed."""

COUNTED = ("seed", "batch_size")
"""The keys of ``generation`` that depend on how the output is made again."""

ARGUMENTS = {
    "pretrained_name": "--pretrained-name",
    "revision": "--revision",
    "model_config": "--model-config",
    "ckpt_path": "--ckpt-path",
    "pretransform_ckpt_path": "--pretransform-ckpt-path",
    "quantize": "--quantize",
}
"""How the command names what the metadata says of the model."""


@dataclass(frozen=True)
class Common:
    """What outputs have to share to be made by one config.

    Attributes:
        generation: The inside of ``generation`` as JSON, without `COUNTED`.
        output: The inside of ``output`` as JSON, without a folder.
        command: What to run, without the config.
        alone: Whether each was sampled alone: then it has to be again, to be the same to the last
            bit.
    """

    generation: str
    output: str
    command: str
    alone: bool


@dataclass(frozen=True)
class Recipe:
    """How an output is made again.

    Attributes:
        common: What it shares with others.
        sample: The inside of its sample as JSON, without its seed.
    """

    common: Common
    sample: str


def recipe(metadata: Mapping[str, Any]) -> Recipe | None:
    """The recipe of an output; None where its metadata does not tell how it was made.

    Args:
        metadata: Of the output, as `audiogen_core.metadata.metadata` makes it.
    """
    match metadata:
        case {
            "generation_config": dict(generation),
            "conditioning": dict(conditioning),
            "file_format": str(encoder),
            "model": dict(model),
            "output": {"cut_to_seconds_total": bool(cut), "post_processing": list(chain), **form},
            "software": {"plugins": dict(plugins)},
        } if isinstance(generation.get("seed"), int) and "seed" not in conditioning:
            pass
        case _:
            return None
    # Where a model has a conditioner of such a name, a sample's key is that conditioner's.
    own = {key: generation[key] for key in OF_A_SAMPLE if key in generation.keys() - conditioning}
    shared = {key: one for key, one in generation.items() if key not in own and key not in COUNTED}
    options = form.get("file_format_options")
    file_format = {"name": encoder, **options} if isinstance(options, dict) else encoder
    output = {
        "file_format": file_format,
        "save_metadata": "observer metadata" in plugins,
        "cut_to_seconds_total": cut,
        "post_processing": chain,
        "report": "observer report" in plugins,
    }
    alone = metadata.get("batch") == {"size": 1, "index": 0}
    common = Common(_inside(shared), _inside(output), _command(model), alone)
    return Recipe(common, _inside(conditioning | own))


def _command(model: Mapping[str, Any]) -> str:
    words = ["audiogen", "generate"]
    for key, value in without_folders(model).items():
        if key in ARGUMENTS and isinstance(value, str):
            words += [ARGUMENTS[key], value]
    words += ["--dtype", dtype] if isinstance(dtype := model.get("dtype"), str) else []
    words += ["--compile"] if model.get("compile") is True else []
    return shlex.join(words)


def _inside(values: Mapping[str, Any]) -> str:
    """The JSON of an object without its braces."""
    return json.dumps(values, ensure_ascii=False)[1:-1]
