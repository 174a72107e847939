"""What a person sees: messages and help that fit a narrow terminal, and plain text elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from audiogen_cli.app import app
from tests.conftest import Command, audiogen_process, local_model

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x9b]")
"""What steers a terminal; a new line does not count."""


def on_a_terminal(*arguments: str, width: int, **environment: str) -> tuple[int, list[str]]:
    """Runs the command on a terminal: its exit code, and the lines that it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "audiogen_cli", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **environment},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not part:
            break
        written += part
    os.close(ours)
    return process.wait(), written.decode().replace("\r\n", "\n").splitlines()


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and every group of them, with the words that call it."""
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*words, name))


EVERY = [
    pytest.param(words, command, id=" ".join(words) or "audiogen")
    for words, command in commands(typer.main.get_command(app))
]


def test_messages_break_between_words() -> None:
    """On a terminal a long message has lines that fit; elsewhere the same words stand on one."""
    arguments = ("generate", "--prompt", "kick", "--set", "generation.stepz=5")
    code, lines = on_a_terminal(*arguments, width=60, TERM="xterm")
    piped = audiogen_process(*arguments)
    assert (code, piped.code, piped.err.count("\n")) == (2, 2, 1)
    assert len(lines) > 1
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).split() == piped.err.split()


@pytest.mark.parametrize("arguments", [("show", "sampler", "k-heun"), ("list",)], ids=str)
def test_text_is_laid_out_for_a_narrow_terminal(arguments: tuple[str, ...]) -> None:
    """Text and tables fit a terminal of 60 columns, and are up to 80 columns wide elsewhere."""
    code, lines = on_a_terminal("plugins", *arguments, width=60, TERM="xterm")
    piped = audiogen_process("plugins", *arguments).out
    assert code == 0
    assert max(map(len, lines)) <= 60 < max(map(len, piped.splitlines())) <= 80
    assert " ".join(lines).split() == piped.split()


@pytest.mark.parametrize(("words", "command"), EVERY)
def test_help_is_whole_on_a_narrow_terminal(
    words: tuple[str, ...], command: Any, audiogen: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is wider than the terminal, no sentence is cut, no Python type is shown."""
    monkeypatch.setenv("COLUMNS", "60")
    result = audiogen(*words, "--help")
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 60
    assert "list[" not in result.out
    told = " ".join(result.out.split())
    for child in getattr(command, "commands", {}).values():
        assert " ".join(child.help.partition("\n\n")[0].split()) in told


@pytest.mark.parametrize("terminal", ["dumb", ""])
def test_where_nothing_can_be_drawn_there_are_plain_lines(
    terminal: str, tiny_model: Path, tmp_path: Path
) -> None:
    """On a dumb terminal and in a pipe, whatever the locale, no character steers a terminal."""
    arguments = [
        "generate", *local_model(tiny_model), "--prompt", "h\u00e9llo \u2603", "--seconds", "1",
        "--set", "generation.steps=1", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "COLUMNS": "60"}
    if terminal:
        code, lines = on_a_terminal(*arguments, width=60, TERM=terminal, **ascii_only)
        text = "\n".join(lines)
    else:
        result = audiogen_process(*arguments, **ascii_only)
        code, text = result.code, result.err + result.out
    assert code == 0
    assert not CONTROL.search(text)
    assert "generating 1 output\n" in text
    assert "h\\xe9llo \\u2603" in text
