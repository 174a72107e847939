"""``--play``: finished files are played with what the system has."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command, local_model
from tests.faults import wait_until

WriteConfig = Callable[..., Path]


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a program of a name on an otherwise empty PATH that writes down what it is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, then: str = "") -> Path:
        log = tmp_path / f"{name}.log"
        program = folder / name
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys, time\n"
            f"with open({str(log)!r}, 'a') as log:\n"
            "    call = [sys.argv[1:], os.path.getsize(sys.argv[-1])]\n"
            "    log.write(json.dumps(call) + '\\n')\n" + then
        )
        program.chmod(0o755)
        return log

    return put


def played(log: Path) -> list[tuple[list[str], int]]:
    """The arguments of each call, and the size of the file then."""
    return [tuple(json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines()]


def test_each_file_is_played_once_it_stands(
    player: Callable[..., Path], tiny_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """In their order, whole, by their full path, with the player that comes first and can."""
    log = player("ffplay")
    player("mpv")
    config = write_config(generation={"batch_size": 2})
    arguments = ["generate", *local_model(tiny_model), "--generation-config", config, "--play"]
    result = audiogen(*arguments)
    assert result.code == 0, result.err
    paths = [Path(line) for line in result.out.splitlines()]
    options = ["-nodisp", "-autoexit", "-loglevel", "error"]
    assert played(log) == [([*options, str(path)], path.stat().st_size) for path in paths]
    result = audiogen("again", paths[0], "--play")
    assert result.code == 0, result.err
    assert played(log)[-1][0] == [*options, result.out.strip()]


def test_a_player_must_know_the_format(
    player: Callable[..., Path], tiny_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """``aplay`` is taken for WAV; for Opus the message says what was looked for."""
    log = player("aplay")
    arguments = [*local_model(tiny_model), "--generation-config", write_config(), "--play"]
    result = audiogen("generate", *arguments)
    assert (result.code, len(played(log))) == (0, 1)
    result = audiogen("generate", *arguments, "--format", "ogg opus 96k")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: --play: no program that plays .ogg files was found; tried 'ffplay', 'mpv', "
        "'pw-play', 'paplay', 'play'\n"
    )


def test_a_player_that_fails_costs_nothing(
    player: Callable[..., Path], tiny_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """One warning with its last words; the files are there and the exit code is 0."""
    player("mpv", "sys.exit('starting\\nno sound card')")
    config = write_config(generation={"batch_size": 3})
    result = audiogen(
        "generate", *local_model(tiny_model), "--generation-config", config, "--play", "--quiet"
    )
    first = result.out.splitlines()[0]
    assert (result.code, result.err) == (
        0, f"warning: mpv could not play '{first}': no sound card, and 2 more\n"
    )  # fmt: skip


def test_files_at_an_address_are_not_played(
    player: Callable[..., Path], tiny_model: Path, audiogen: Command, tmp_path: Path
) -> None:
    """The local copy is gone before its turn may come."""
    player("mpv")
    model = local_model(tiny_model)
    result = audiogen("generate", *model, "--prompt", "a", "--out", "memory://a/b", "--play")
    assert (result.code, result.out) == (2, "")
    assert "--play plays files of a folder, and output.output_dir is an address" in result.err
    made = audiogen("generate", *model, "--prompt", "a", "--out", tmp_path / "out")
    result = audiogen("again", made.out.strip(), "--out", "memory://a/c/", "--play")
    assert (result.code, result.out) == (2, "")
    assert "--play plays files of a folder, and --out is an address" in result.err


def test_nothing_is_played_of_a_plan(audiogen: Command, tiny_model: Path) -> None:
    """Whether this machine has a player is not asked then."""
    result = audiogen("generate", *local_model(tiny_model), "--prompt", "a", "--play", "--dry-run")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: --play plays files that are made, and --dry-run makes none\n"


def test_a_signal_ends_the_playing_alone(
    player: Callable[..., Path], tiny_model: Path, write_config: WriteConfig
) -> None:
    """When all is made, it stops the player, the rest is not played, and the run is fine."""
    log = player("mpv", "time.sleep(60)")
    config = write_config(generation={"batch_size": 2})
    process = subprocess.Popen(
        [sys.executable, "-m", "audiogen_cli", "generate", *local_model(tiny_model),
         "--generation-config", config, "--play"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    for _ in range(2):
        assert process.stdout is not None
        assert process.stdout.readline().endswith(".wav\n")
    wait_until(lambda: log.exists() and bool(played(log)))
    hidden = log.parent / "out" / ".audiogen"
    wait_until(lambda: not list(hidden.glob("*.alive")))  # all is made
    time.sleep(1)
    process.send_signal(signal.SIGTERM)  # SIGINT is ignored in the background
    _, err = process.communicate(timeout=50)
    assert (process.returncode, "warning" in err) == (0, False), err
    assert len(played(log)) == 1
