"""What an audio file says about itself: the metadata of an output, in the words of tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

SETTINGS_KEY = "audiogen"
"""What a tag with the settings is called in containers that keep keys of one's own."""

MODEL_KEYS = ("pretrained_name", "default_model", "ckpt_path")
"""Where the metadata says which model it was; the first that is there is for people."""


BESIDE = {"input", "naming", "observer"}
"""Plugins without a part in the sound, by the first word of what they did."""


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
    people whom the layout of this machine does not concern, and neither do the prompts of other
    files. The sample's own values stay as they were given, with the paths of recordings, which
    the file is made again from. Of the plugins those are kept that had a part in the sound: the
    same sound is the same file, wherever its prompt came from.

    Args:
        content: The output's metadata, as `audiogen_core.metadata.metadata` makes it.
    """
    generation, conditioning = content["generation_config"], content["conditioning"]
    model, software = without_folders(content["model"]), dict(content["software"])
    if "plugins" in software:
        software["plugins"] = {
            key: origin
            for key, origin in software["plugins"].items()
            if key.split(" ")[0] not in BESIDE
        }
    facts = [
        str(generation["sampler_type"]),
        f"{generation['steps']} steps",
        f"cfg {generation['cfg_scale']}",
        f"seed {generation['seed']}",
        str(next((model[key] for key in MODEL_KEYS if key in model), "")),
    ]
    told = {**content, "model": model, "software": software}
    if "batch" in content:
        told["batch"] = {key: one for key, one in content["batch"].items() if key != "others"}
    settings = json.dumps(told, ensure_ascii=False, allow_nan=False)
    return Tags(
        title=_text(str(conditioning.get("prompt") or "")),
        comment=_text(", ".join(fact for fact in facts if fact)),
        software=f"audiogen {software['audiogen']}",
        settings=_text(settings),
    )


def without_folders(value: Any) -> Any:
    """A value with the names of files in place of their absolute paths."""
    if isinstance(value, Mapping):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value


def _text(text: str) -> str:
    """The text without what no container can hold: half characters, and the null that ends it."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def read_tags(path: Path) -> dict[str, str]:
    """The tags of an audio file in any format that FFmpeg knows, by its keys in lower case.

    Raises:
        ValueError: It is no audio file.
    """
    import av

    from audiogen_core.audio_file import audio_stream, open_source

    try:
        # Absolute, and nothing but files: no name and no playlist leads anywhere else.
        with open_source(str(path.absolute()), "file") as source:
            found = {**audio_stream(source).metadata, **source.metadata}
    except (av.FFmpegError, ValueError):
        raise ValueError("is no audio file") from None
    return {_readable(key).lower(): _readable(text) for key, text in found.items()}


def _readable(text: str) -> str:
    """The text with marks for what is not in UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def settings_in(tags: Mapping[str, str]) -> str | None:
    """The metadata in the tags of a file, as JSON that nobody has checked; None without any."""
    if SETTINGS_KEY in tags:
        return tags[SETTINGS_KEY]
    # The comment's second line, as in `Tags.comment_with_settings`.
    _, _, settings = tags.get("comment", "").partition("\n")
    return settings if settings.startswith("{") else None
