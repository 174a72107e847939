"""Makes audio prompts from audio files: ``.npy`` arrays, as ``pre_encoded_latent`` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.audio_file import audio_blocks, check_audio_file
from audiogen_core.embedding_file import MAX_DATA_BYTES
from audiogen_core.errors import InputError, Problem, UsageError
from audiogen_core.interfaces.embedder import Embedder
from audiogen_core.names import same_name
from audiogen_core.publishing import check_output_folder, publish


def targets(files: Sequence[Path], folder: Path) -> list[Path]:
    """Where the embeddings of audio files go, with all checked that can be without a model.

    Args:
        files: The audio files.
        folder: Where the embeddings go, each under its audio file's name.

    Raises:
        InputError: A file cannot be read as audio, every one.
        UsageError: Two would have one name, or the folder cannot be written.
    """
    problems = []
    for file in files:
        try:
            check_audio_file(file)
        except ValueError as error:
            problems.append(Problem(str(file), str(error)))
        except OSError as error:
            problems.append(Problem(str(file), f"cannot be read: {error.strerror}"))
    if problems:
        raise InputError(problems)
    paths: dict[str, Path] = {}
    for file in files:
        if (first := paths.setdefault(same_name(file.stem), file)) is not file:
            raise UsageError(
                f"{first} and {file} would both be written as '{folder / file.stem}.npy': "
                "give each a folder of its own"
            )
    try:
        check_output_folder(folder)
    except InputError as error:
        raise UsageError(f"--out: {error.problems[0].what}") from None
    return [folder / f"{file.stem}.npy" for file in files]


def embedded(embedder: Embedder, file: Path) -> FloatArray:
    """The embedding of an audio file, ``[T, dim]`` in float32.

    Args:
        embedder: It is loaded.
        file: The audio file.

    Raises:
        ValueError: The file cannot be read, or what was made of it is no embedding.
        Exception: Whatever the embedder raises.
    """
    found: list[FloatArray] = []
    size = 0
    with closing(audio_blocks(file, embedder.sample_rate, embedder.channels)) as blocks:
        for rows in embedder.embed(blocks):
            if rows.ndim != 2 or (found and rows.shape[1] != found[0].shape[1]):
                raise ValueError(f"embedder '{embedder.NAME}' made rows of {list(rows.shape)}")
            if not np.isfinite(rows).all():
                raise ValueError(f"embedder '{embedder.NAME}' made NaN or infinity")
            found.append(np.asarray(rows, dtype=np.float32))
            size += found[-1].nbytes
            if size > MAX_DATA_BYTES:
                most = f"{MAX_DATA_BYTES >> 20} MiB"
                raise ValueError(f"is too long: its embedding takes more than {most}")
    if not size:
        raise ValueError("holds no audio")
    return np.concatenate(found)


def write_embedding(path: Path, embedding: FloatArray) -> None:
    """Writes an ``.npy`` file, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """

    def write(file: Path) -> None:
        with file.open("wb") as stream:
            np.save(stream, embedding, allow_pickle=False)

    path.parent.mkdir(parents=True, exist_ok=True)
    publish(path, write)
