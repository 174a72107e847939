"""Pickles from process to process, through pipes. Both ends are one program."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from typing import IO, Any


def send(stream: IO[bytes], what: object) -> None:
    """Writes an object.

    Raises:
        OSError: Nobody reads it.
    """
    pickle.dump(what, stream, pickle.HIGHEST_PROTOCOL)
    stream.flush()


def received(stream: IO[bytes]) -> Iterator[Any]:
    """The objects that the other end has written, until it is gone."""
    while True:
        try:
            yield pickle.load(stream)  # noqa: S301, both ends are one program
        except (EOFError, OSError, pickle.UnpicklingError):
            return


def output_for_answers() -> IO[bytes]:
    """The standard output, for answers alone: what libraries print goes to the standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers
