"""Makes the report of a folder, of what stands there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audiogen_core.failures import FailureLog
from audiogen_core.publishing import publish
from audiogen_core.registry import describe
from audiogen_core.tags import MODEL_KEYS, without_folders
from audiogen_plugins.observers.report.described import audio_files, described
from audiogen_plugins.observers.report.measured import Known, measure, shown, state_of
from audiogen_plugins.observers.report.page import NAME, earlier, page
from audiogen_plugins.observers.report.recipe import Common, recipe
from audiogen_plugins.observers.report.sound import read_sound

HIDDEN = {"seed", "batch_size"}
"""Keys of ``generation`` that say nothing about one output, or stand elsewhere on the page."""


def write_report(
    folder: Path, known: Known | None = None, tell: Callable[[int, int], None] | None = None
) -> Path:
    """Makes ``report.html`` in a folder, or brings it up to date.

    What an earlier page or the caller knows of a file is not measured again. A page that would
    stay the same is left alone.

    Args:
        folder: An output folder.
        known: What has been measured.
        tell: Is told how many of how many files are read.

    Returns:
        The page.

    Raises:
        UsageError: Something else is called ``report.html``.
        OSError: The folder cannot be read, or not be written.
    """
    path = folder / NAME
    before, measured = earlier(path)
    measured.update(known or {})
    content = page(_data(folder, measured, tell or (lambda _done, _total: None)))
    if content != before:
        publish(path, lambda file: _write(file, content))
    return path


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def _data(folder: Path, known: Known, tell: Callable[[int, int], None]) -> dict[str, Any]:
    """What the page shows."""
    commons: dict[Common, int] = {}
    outputs, identities = [], set()
    paths = list(audio_files(folder))
    for number, path in enumerate(paths, 1):
        metadata = described(path) or {}
        identities.add(str(metadata.get("identity")))
        outputs.append(_output(folder, path, metadata, known, commons))
        tell(number, len(paths))
    failures = {one["identity"]: one for one in FailureLog(folder).records()}
    return {
        "folder": shown(folder.resolve().name),
        "outputs": outputs,
        "failures": [
            _failure(one) for identity, one in failures.items() if identity not in identities
        ],
        "commons": [asdict(one) for one in commons],
    }


def _output(
    folder: Path, path: Path, metadata: Mapping[str, Any], known: Known, commons: dict[Common, int]
) -> dict[str, Any]:
    name, size, changed = state = state_of(path)
    problem = None
    measured = known.get(state)
    if measured is None:
        try:
            sound = read_sound(path)
            measured = measure(sound.audio, sound.sample_rate)
        # A file that is cut or damaged is shown as that; the others are wanted all the same.
        except Exception as error:
            # The system's words alone, where there are some: they come without the path.
            problem = getattr(error, "strerror", None) or describe(error)
    conditioning = dict(metadata.get("conditioning", {}))
    generation = dict(metadata.get("generation_config", {}))
    how = recipe(metadata)
    return {
        "file": name,
        "url": quote(os.fsencode(path.relative_to(folder).as_posix())),
        # As text, for it is more than a number of a page's script can hold.
        "state": [size, str(changed)],
        **_texts(conditioning, generation.get("seed")),
        "settings": _settings(conditioning, generation, metadata),
        "measured": None if measured is None else asdict(measured),
        "problem": problem,
        "recipe": None
        if how is None
        else {"common": commons.setdefault(how.common, len(commons)), "sample": how.sample},
    }


def _failure(record: Mapping[str, Any]) -> dict[str, Any]:
    conditioning = record.get("conditioning")
    conditioning = conditioning if isinstance(conditioning, dict) else {}
    return {
        "file": str(record.get("name", "")),
        "cause": str(record.get("cause", "")),
        "place": str(record.get("sample", "")),
        **_texts(conditioning, record.get("seed")),
        "settings": _settings(conditioning, {}, {}),
    }


def _texts(conditioning: Mapping[str, Any], seed: object) -> dict[str, str]:
    return {
        "prompt": _text(conditioning.get("prompt")),
        "negative": _text(conditioning.get("negative_prompt")),
        "seed": _text(seed),
    }


def _settings(
    conditioning: Mapping[str, Any], generation: Mapping[str, Any], metadata: Mapping[str, Any]
) -> dict[str, str]:
    """Everything else that is known, for people: the values as the config wrote them."""
    values = {key: one for key, one in generation.items() if key not in HIDDEN}
    values |= {
        key: one for key, one in conditioning.items() if key not in {"prompt", "negative_prompt"}
    }
    model = metadata.get("model")
    model = without_folders(model) if isinstance(model, dict) else {}
    values["format"] = metadata.get("file_format")
    values["model"] = next((model[key] for key in MODEL_KEYS if key in model), None)
    return {key: _text(one) for key, one in values.items() if one is not None}


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()  # half characters cannot be written
