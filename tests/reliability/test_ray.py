"""The executor `ray`: the files of a run alone, and nothing that outlives the command."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audiogen_core.errors import NotInstalledError
from audiogen_plugins.executors.ray import Ray
from tests.conftest import Command
from tests.crashes import contents
from tests.reliability.test_executors import POISON, wait_until

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or not Path("/proc/self/task").exists(),
    reason="needs Ray, and /proc",
)
RAY = ["--executor", "ray", "--executor-option", "workers=2"]


def generate(config: Path, *arguments: str) -> list[str]:
    """A command."""
    return [
        sys.executable, "-m", "audiogen_cli", "generate", "--generation-config", str(config),
        "--max-batch", "2", "--device", "cpu", *arguments,
    ]  # fmt: skip


def written(folder: Path, outputs: int, steps: int) -> Path:
    """A config file for the default model."""
    data: dict[str, Any] = {
        "generation": {"steps": steps, "seed": 1},
        "conditioning_defaults": {"seconds_start": 0, "seconds_total": 0.5},
        "input": {
            "type": "config",
            "samples": [{"prompt": f"sound {number}"} for number in range(outputs)],
        },
        "output": {"file_naming": "prompt"},
    }
    path = folder / "config.json"
    path.write_text(json.dumps(data))
    return path


@needs_ray
@pytest.mark.slow
def test_a_lost_worker_costs_nothing_and_what_ends_all_is_given_up(tmp_path: Path) -> None:
    """One output ends every worker, another one two: only the first is not made."""
    poison = POISON.replace(
        '"audiogen_core.executing" in sys.orig_argv',
        'any("default_worker" in one for one in sys.orig_argv)',
    )
    # Ray's workers have other uses before they import the package.
    (tmp_path / "sitecustomize.py").write_text(poison)
    log = tmp_path / "log"
    config = written(tmp_path, 6, steps=2)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    result = subprocess.run(
        generate(config, "--out", str(tmp_path / "ray"), *RAY),
        env={**environment, "PYTHONPATH": path, "AUDIOGEN_TEST_LOG": str(log)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 3, result.stderr
    assert "input.samples[3]" in result.stderr
    tries = log.read_text().splitlines()
    assert tries.count("['sound 0', 'sound 1']") == 3
    assert tries.count("['sound 3']") == 3
    alone = subprocess.run(
        generate(config, "--out", str(tmp_path / "alone")), env=environment, capture_output=True
    )
    assert alone.returncode == 0
    found, expected = contents(tmp_path / "ray"), contents(tmp_path / "alone")
    assert "sound 3.wav" not in found
    for number in (0, 1, 4, 5):
        name = f"sound {number}.wav"
        assert found[name] == expected[name], name


def with_variable(value: str) -> list[int]:
    """The processes that have a variable of this value, in their environment."""
    return [
        int(one.parent.name)
        for one in Path("/proc").glob("[0-9]*/environ")
        if f"AUDIOGEN_TEST_MARK={value}\0" in read(one)
    ]


def read(path: Path) -> str:
    """What a file of a process holds that may have ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_ray_ends_with_the_command(tmp_path: Path, number: signal.Signals) -> None:
    """No process of it is left, and what was written is whole."""
    config = written(tmp_path, 400, steps=20)
    mark = str(tmp_path)
    command = subprocess.Popen(
        generate(config, "--out", str(tmp_path / "out"), *RAY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "AUDIOGEN_TEST_MARK": mark,
            "TMPDIR": "/tmp",  # noqa: S108, Ray's sockets need a short path
        },
    )
    assert command.stdout is not None
    for _ in range(3):
        assert command.stdout.readline()
    assert len(with_variable(mark)) > 3
    command.send_signal(number)
    _, errors = command.communicate(timeout=300)
    wait_until(lambda: not with_variable(mark))
    count = len(list((tmp_path / "out").glob("*.wav")))
    assert 0 < count < 400
    if number is signal.SIGTERM:
        assert command.returncode == 130
        assert f"interrupted: {count} written, {400 - count} left" in errors
        again = subprocess.run(
            generate(written(tmp_path, count + 2, steps=20), "--out", str(tmp_path / "out")),
            capture_output=True,
        )
        assert again.returncode == 0
        assert len(list((tmp_path / "out").glob("*.wav"))) >= count + 2


@needs_ray
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("address=127.0.0.1:1", "--executor ray: no Ray cluster at '127.0.0.1:1'"),
        ("address=ray://here:1", "--executor-option.address: must be HOST:PORT or 'auto'"),
    ],
)
def test_a_wrong_address_is_one_message(
    audiogen: Command, tmp_path: Path, option: str, message: str
) -> None:
    """It comes before anything is written."""
    arguments = ["--executor", "ray", "--executor-option", option]
    result = audiogen("generate", "--prompt", "rain", "--quiet", *arguments, cwd=tmp_path)
    assert (result.code, result.out) == (2, "")
    assert f"error: {message}" in result.err
    assert not list(tmp_path.iterdir())


def test_a_missing_ray_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what brings it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NotInstalledError, match=r"pip install 'audiogen\[ray\]'"):
        Ray()
