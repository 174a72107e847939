"""Reads text files line by line, so that a long one takes no more memory than a short one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audiogen_core.errors import InputError, Problem
from audiogen_core.options import shown

MAX_LINE_BYTES = 2**18
"""More than anybody writes into a line, so that a file of one line does not fill the memory."""


def raw_lines(path: str, key: str) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, from 1; a byte-order mark is left out.

    They end with a line feed, a carriage return or both, as old spreadsheets write them.

    Args:
        path: The file.
        key: The key of ``input`` that names it, for messages.

    Raises:
        InputError: The file cannot be read, or has a line of more than `MAX_LINE_BYTES`.
    """
    try:
        # Latin-1 gives a character for each byte, and only text knows all the ends of lines.
        with Path(path).open(encoding="latin-1", newline="") as file:
            texts = iter(lambda: file.readline(MAX_LINE_BYTES + 1), "")
            for number, text in enumerate(texts, start=1):
                line = text.encode("latin-1")
                if len(line) > MAX_LINE_BYTES:
                    what = f"has a line of more than {MAX_LINE_BYTES >> 10} KiB (line {number})"
                    raise problem(key, f"file '{path}' {what}")
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    except FileNotFoundError:
        raise problem(key, f"file '{path}' does not exist") from None
    except IsADirectoryError:
        raise problem(key, f"'{path}' is a folder, not a file") from None
    except ValueError:  # a null character in its name
        raise problem(key, f"file {shown(path)} does not exist") from None
    except OSError as error:
        raise problem(key, f"file '{path}' cannot be read: {error.strerror}") from None


def text_lines(path: str, key: str) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file with their numbers, from 1.

    Raises:
        InputError: The file cannot be read, is not UTF-8, or holds a null character.
    """
    for number, line in raw_lines(path, key):
        if b"\0" in line:
            raise problem(key, f"file '{path}' holds a null character (line {number})")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise problem(key, f"file '{path}' is not UTF-8 text (line {number})") from None
        yield number, text


def problem(key: str, what: str) -> InputError:
    """The error of a key of ``input``."""
    return InputError(Problem(f"input.{key}", what))


def contract_example(folder: Path, contents: Mapping[str, str]) -> dict[str, Any]:
    """What the contract check of a source with the option ``samples_file`` needs.

    Args:
        folder: Where to write the files.
        contents: Of a file ``samples`` that is right, and of others that must be refused.
    """
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    refused = ["nowhere", *(name for name in contents if name != "samples")]
    return {
        "options": {"samples_file": str(folder / "samples")},
        "missing": [{"samples_file": str(folder / name)} for name in refused],
    }
