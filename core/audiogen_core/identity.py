"""What an output is made from, in one word: what has the same identity has the same sound."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
WHOLE = 64 << 20
"""Files up to this size are read whole; of larger ones, `PIECES` pieces."""

PIECES = 64

PLACES = ("model_config", "ckpt_path", "pretransform_ckpt_path", "path")
"""What the metadata says of where a model stands; beside it a fingerprint says what it is."""


def digest(value: Any) -> str:
    """The SHA-256 of a value's JSON, with sorted keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
        self._common = digest([without_places(model), form])
        self._files = files
        self._digests: dict[str, str] = {}

    def of(self, values: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
        """The identity of an output.

        Args:
            values: The conditioning.
            settings: How it is sampled, with its seed.

        Raises:
            OSError: A file cannot be read.
        """
        return digest([self._common, self.content(values), settings])[:32]

    def content(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The conditioning with the content of files in place of their paths.

        Raises:
            OSError: A file cannot be read.
        """
        return {
            key: self._digest(value) if key in self._files and value is not None else value
            for key, value in values.items()
        }

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            self._digests[path] = content_digest(Path(path))
        return self._digests[path]


def without_places(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies a model, wherever it stands."""
    return {
        key: without_places(value) if isinstance(value, Mapping) else value
        for key, value in identity.items()
        if key not in PLACES
    }
