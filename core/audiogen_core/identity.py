"""What an output is made from, in one word: what has the same identity has the same sound."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

CHUNK = 1 << 20
WHOLE = 64 << 20
"""Files up to this size are read whole; of larger ones, `PIECES` pieces."""

PIECES = 64

PLACES = ("model_config", "ckpt_path", "pretransform_ckpt_path", "path")
"""What the metadata says of where a model stands; beside it a fingerprint says what it is."""


canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode
"""The JSON of a value that its digest is made from: sorted keys, ASCII, no spaces."""


spaced = json.JSONEncoder(sort_keys=True).encode
"""The JSON of a value that drawn seeds depend on: the same with spaces."""

_quoted = json.encoder.encode_basestring_ascii


def both(values: Mapping[str, Any]) -> tuple[str, str]:
    """The `canonical` and the `spaced` JSON of values, faster where all are flat."""
    pairs = []
    for key in sorted(values):
        value = values[key]
        kind = type(value)
        if kind is str:
            text = _quoted(value)
        elif kind is int:
            text = str(value)
        elif kind is float and math.isfinite(value):
            text = repr(value)
        elif value is None:
            text = "null"
        else:
            return canonical(values), spaced(values)
        pairs.append((_quoted(key), text))
    close = ",".join([f"{key}:{text}" for key, text in pairs])
    apart = ", ".join([f"{key}: {text}" for key, text in pairs])
    return f"{{{close}}}", f"{{{apart}}}"


def digest(value: Any) -> str:
    """The SHA-256 of a value's JSON, with sorted keys."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def content_digest(path: Path) -> str:
    """The SHA-256 of a file's content.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """Tells one checkpoint from another without reading gigabytes.

    The SHA-256 of its size and its content, or where it is large, of pieces from its whole length:
    another training changes every tensor.

    Raises:
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    found = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for start in _starts(size):
            file.seek(start)
            found.update(file.read(CHUNK))
    return found.hexdigest()


def _starts(size: int) -> Iterable[int]:
    if size <= WHOLE:
        return range(0, size, CHUNK)
    return [round(number * (size - CHUNK) / (PIECES - 1)) for number in range(PIECES)]


def folder_fingerprint(folder: Path) -> str:
    """The `fingerprint` of all files of a folder, with their names.

    Raises:
        OSError: One cannot be read.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return digest([[path.name, fingerprint(path)] for path in files])


class Identities:
    """The identities of a run's outputs.

    Args:
        model: What identifies the model, as the metadata has it. Where it stands does not count.
        form: What is made of the audio: post-processing, format and its options.
        files: The keys of those values that are paths: the files' content counts, not the paths.
    """

    def __init__(self, model: Mapping[str, Any], form: Any, files: Collection[str]) -> None:
        self._common = canonical(digest([without_places(model), form]))
        self._files = files
        self._digests: dict[str, str] = {}

    def made_of(self, values: Mapping[str, Any]) -> MadeOf:
        """What the outputs of a sample are made from.

        Args:
            values: The conditioning.
        """
        content = dict(values)
        for key in self._files:
            if isinstance(content.get(key), str):
                content[key] = self._digest(content[key])
        text, apart = both(content)
        return MadeOf(apart, f"[{self._common},{text},")

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            try:
                self._digests[path] = content_digest(Path(path))
            except (OSError, ValueError):
                # What is taken has been checked: beside it, nobody reads this one.
                self._digests[path] = path
        return self._digests[path]


class MadeOf(NamedTuple):
    """What the outputs of a sample are made from.

    Attributes:
        content: The `spaced` JSON of the conditioning, with the content of files in place of their
            paths.
        text: The beginning of the JSON that identities are the digest of.
    """

    content: str
    text: str

    def identity(self, settings: str) -> str:
        """The identity of an output.

        Args:
            settings: The `canonical` JSON of how it is sampled, with its seed.
        """
        return hashlib.sha256(f"{self.text}{settings}]".encode()).hexdigest()[:32]


def without_places(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies a model, wherever it stands."""
    return {
        key: without_places(value) if isinstance(value, Mapping) else value
        for key, value in identity.items()
        if key not in PLACES
    }
