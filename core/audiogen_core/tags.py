"""What an audio file says about itself: the metadata of an output, in the words of tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

SETTINGS_KEY = "audiogen"
"""What a tag with the settings is called in containers that keep keys of one's own."""

MODEL_KEYS = ("pretrained_name", "default_model", "ckpt_path")
"""Where the metadata says which model it was; the first that is there is for people."""


@dataclass(frozen=True)
class Tags:
    """The tags of one file. An empty one is left out.

    Attributes:
        title: The prompt.
        comment: One line for people: ``euler, 50 steps, cfg 7.0, seed 42, owner/model``.
        software: ``audiogen 0.1.0``.
        settings: The whole metadata as one line of JSON.
    """

    title: str = ""
    comment: str = ""
    software: str = ""
    settings: str = ""

    @property
    def comment_with_settings(self) -> str:
        """Both, a line each, for containers that drop keys of one's own."""
        return "\n".join(line for line in (self.comment, self.settings) if line)


def tags_of(content: Mapping[str, Any]) -> Tags:
    """The tags of an output.

    Of the model's files the names are kept and the folders left out: audio is passed on to
    people whom the layout of this machine does not concern.

    Args:
        content: The output's metadata, as `audiogen_core.metadata.metadata` makes it.
    """
    generation, conditioning = content["generation_config"], content["conditioning"]
    model = without_folders(content["model"])
    facts = [
        str(generation["sampler_type"]),
        f"{generation['steps']} steps",
        f"cfg {generation['cfg_scale']}",
        f"seed {generation['seed']}",
        str(next((model[key] for key in MODEL_KEYS if key in model), "")),
    ]
    settings = json.dumps({**content, "model": model}, ensure_ascii=False, allow_nan=False)
    return Tags(
        title=_text(str(conditioning.get("prompt") or "")),
        comment=_text(", ".join(fact for fact in facts if fact)),
        software=f"audiogen {content['software']['audiogen']}",
        settings=_text(settings),
    )


def without_folders(value: Any) -> Any:
    """What the metadata says of a model, with the names of files in place of their paths."""
    if isinstance(value, Mapping):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value


def _text(text: str) -> str:
    """The text without what no container can hold: half characters, and the null that ends it."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
