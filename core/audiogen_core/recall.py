"""Reads back how a file was made: from the metadata beside it, or else from its tags."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from audiogen_core.errors import InputError, Problem
from audiogen_core.options import validate
from audiogen_core.sample_checks import MAX_OUTPUTS
from audiogen_core.strict_data import read_file
from audiogen_core.strict_json import parse_json

ENDING = ".json"
WHAT = "metadata"


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class _Output(_Part):
    bytes: int | None = None
    cut_to_seconds_total: bool = True
    file_format_options: dict[str, Any] = {}
    post_processing: list[dict[str, Any]] | None = None


class _Others(_Part):
    at: list[int]
    conditioning: dict[str, Any]


class _Batch(_Part):
    size: int = Field(1, ge=1, le=MAX_OUTPUTS)
    index: int = Field(0, ge=0, lt=MAX_OUTPUTS)
    others: list[_Others] = []


class Document(_Part):
    """What metadata must hold to be metadata, and what of the rest has to be right to be used."""

    generation_config: dict[str, Any]
    conditioning: dict[str, Any]
    file_format: str
    sample_rate: int | None = None
    model: dict[str, Any] = {}
    output: _Output = _Output()
    identity: str = ""
    recordings: dict[str, str] = {}
    batch: _Batch = _Batch()
    software: dict[str, Any] = {}


@dataclass(frozen=True)
class Recalled:
    """What is known of how a file was made.

    Attributes:
        path: The file, as it was asked for.
        content: The whole metadata.
        document: The same, checked.
        origin: Where it stands, for people: ``siren.json``, or ``the tags of siren.wav``.
        beside: Whether it was a file of its own.
    """

    path: Path
    content: Mapping[str, Any]
    document: Document
    origin: str
    beside: bool

    @property
    def identity(self) -> str:
        """What the file was made from, in one word."""
        return self.document.identity

    @property
    def audio(self) -> Path | None:
        """The audio file; None where its metadata was asked for."""
        return None if self.path.suffix.lower() == ENDING else self.path


def recall(path: Path) -> Recalled:
    """Finds out how a file was made.

    What stands beside it under its name tells more than the tags, and is believed where it is of
    this very file: of the same identity as the tags, or where one of them has none, of its size.

    Args:
        path: An audio file, or the metadata of one.

    Raises:
        InputError: There is no such file, it is no audio file, it holds no metadata and has none
            beside it, or the metadata is damaged.
    """
    _check_file(path)
    if path.suffix.lower() == ENDING:
        found = _parsed(path, path)
        if found is None:
            raise InputError(Problem("", "is no metadata of an output"), str(path))
        return found
    beside, damage = _beside(path)
    tagged: Recalled | None = None
    try:
        tagged = _tagged(path)
    except InputError as error:
        damage = damage or error
    if beside is not None and (tagged is None or _is_same(beside, tagged)):
        return beside
    if tagged is not None:
        return tagged
    if damage is not None:
        raise damage
    beside_it = path.with_suffix(ENDING).name
    what = f"holds no metadata in its tags, and no '{beside_it}' with any stands beside it"
    raise InputError(Problem("", what), str(path))


def is_described(path: Path) -> bool:
    """Whether what stands beside a file under its name is the metadata of it.

    Args:
        path: An audio file, which need not be there.
    """
    if not path.with_suffix(ENDING).is_file():
        return False
    try:
        return recall(path).beside
    except InputError:
        return False


def _is_same(beside: Recalled, tagged: Recalled) -> bool:
    """Whether what stands beside a file is of the output that its tags tell of."""
    if beside.identity and tagged.identity:
        return beside.identity == tagged.identity
    return beside.document.output.bytes == beside.path.stat().st_size


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(Problem("", "does not exist"), str(path)) from None
    except OSError as error:
        raise InputError(Problem("", f"cannot be read: {error.strerror}"), str(path)) from None
    if stat.S_ISDIR(mode):
        raise InputError(Problem("", "is a folder, not an audio file"), str(path))
    if not stat.S_ISREG(mode):
        raise InputError(Problem("", "is no regular file"), str(path))


def _beside(path: Path) -> tuple[Recalled | None, InputError | None]:
    """The metadata beside a file, or what is wrong with what stands there."""
    file = path.with_suffix(ENDING)
    if not file.is_file():
        return None, None
    try:
        return _parsed(file, path), None
    except InputError as error:
        return None, error


def _parsed(file: Path, path: Path) -> Recalled | None:
    """The metadata that a file holds; None where it holds other JSON."""
    return _recalled(read_file(file, WHAT), path, str(file), beside=True)


def _tagged(path: Path) -> Recalled | None:
    """The metadata in the tags of a file, if any."""
    from audiogen_core.tags import read_tags, settings_in

    try:
        settings = settings_in(read_tags(path))
    except ValueError as error:
        raise InputError(Problem("", str(error)), str(path)) from None
    if settings is None:
        return None
    origin = f"the tags of {path}"
    return _recalled(settings.encode("utf-8", "replace"), path, origin, beside=False)


def _recalled(text: bytes, path: Path, origin: str, *, beside: bool) -> Recalled | None:
    content = parse_json(text, origin, WHAT)
    if not isinstance(content, dict) or "generation_config" not in content:
        return None
    document = validate(Document, content, source=origin)
    if document.batch.index >= document.batch.size:
        what = f"must be less than the batch's size, {document.batch.size}"
        raise InputError(Problem("batch.index", what), origin)
    return Recalled(path, content, document, origin, beside)
