"""Worker processes: the same files as a run alone, whatever ends a worker or the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from audiogen_core.config import parse_config
from audiogen_core.failures import FailureLog
from audiogen_core.models.source import LocalSource
from audiogen_core.outcome import Outcome
from audiogen_core.pipeline import run
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Request
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from audiogen_plugins.executors.processes import Processes
from tests.conftest import Command, local_model
from tests.crashes import contents
from tests.faults import batches_begun, spy, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short tiny model."""
    config = tiny_config()
    config["sample_size"] = 16384
    return write_tiny_model(tmp_path_factory.mktemp("short"), config)


def sections(out: Path, outputs: int, steps: int = 1) -> dict[str, Any]:
    """A config."""
    samples = [{"prompt": f"sound {number}"} for number in range(outputs)]
    return {
        "generation": {"steps": steps, "seed": 1, "cfg_scale": 1.0},
        "conditioning_defaults": {"seconds_start": 0, "seconds_total": 0.3},
        "input": {"type": "config", "samples": samples},
        "output": {"output_dir": str(out), "file_naming": "prompt"},
    }


def made(
    model: Path, data: dict[str, Any], executor: Processes | None = None, batch: int = 2
) -> Outcome:
    """What came of a run in this process."""
    plugins = installed_plugins()
    source = LocalSource(model / "model_config.json", model / "model.safetensors")
    config = parse_config(data, plugins)
    request = Request(config, source, torch.device("cpu"), max_batch=batch)
    return run(request, plugins, executor=executor)


@pytest.mark.slow
def test_what_ends_its_worker_is_found_and_given_up(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One output ends every process, another one two: only the first is not made.

    The batch of the other is made in the end as if nothing had been: with the same bits.
    """
    for name, value in spy(tmp_path, {"sound 0": 2, "sound 3": 100}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    outcome = made(model, sections(tmp_path / "out", 6), Processes(Processes.Options(workers=2)))
    assert [(job.stem, cause) for job, cause in outcome.failures] == [
        ("sound 3", "the worker ended with SIGSEGV, 3 times")
    ]
    assert len(outcome.written) == len(set(outcome.written)) == 5
    assert [one["name"] for one in FailureLog(tmp_path / "out").records()] == ["sound 3"]
    # What is lost is made again as it was, and after three times in halves.
    tries = [prompts for _, prompts in batches_begun(tmp_path / "log")]
    assert tries.count(("sound 0", "sound 1")) == 3
    assert tries.count(("sound 2", "sound 3")) == 3
    assert tries.count(("sound 2",)) == 1
    assert tries.count(("sound 3",)) == 3
    assert made(model, sections(tmp_path / "alone", 6)).failures == []
    found, expected = contents(tmp_path / "out"), contents(tmp_path / "alone")
    for number in (0, 1, 4, 5):
        name = f"sound {number}.wav"
        assert found[name] == expected[name], name


def workers_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_workers_end_with_the_command(model: Path, tmp_path: Path, number: signal.Signals) -> None:
    """They are gone, nothing is half made, and the same command goes on to the same files."""
    data = sections(tmp_path / "out", 400, steps=20)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(data))
    command = subprocess.Popen(
        [
            sys.executable, "-m", "audiogen_cli", "generate", *local_model(model),
            "--generation-config", config, "--max-batch", "2", "--device", "cpu",
            "--executor", "processes", "--executor-option", "workers=2",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert command.stdout is not None
    for _ in range(3):  # the last path may be told just before its metadata stands
        assert command.stdout.readline()
    workers = workers_of(command.pid)
    assert len(workers) == 2
    command.send_signal(number)
    _, errors = command.communicate(timeout=300)
    wait_until(lambda: not any(Path(f"/proc/{one}").exists() for one in workers))
    written = len(list((tmp_path / "out").glob("*.wav")))
    assert 0 < written < 400
    if number is signal.SIGTERM:
        assert command.returncode == 130
        assert f"interrupted: {written} written, {400 - written} left" in errors.decode()
    else:
        assert command.returncode == -9
    data["input"]["samples"] = data["input"]["samples"][: written + 8]
    outcome = made(model, data)
    assert outcome.there_before >= 1
    assert not outcome.failures
    assert not list((tmp_path / "out").glob(".audiogen-*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--executor", "proceses"],
            "--executor: 'proceses' is not a known executor (did you mean",
        ),
        (
            ["--executor", "processes", "--executor-option", "worker=2"],
            "--executor-option.worker: unknown key (did you mean 'workers'?)",
        ),
        (
            ["--executor", "processes", "--executor-option", "workers=0"],
            "--executor-option.workers: must be at least 1, not 0",
        ),
        (
            ["--executor-option", "workers=2"],
            "--executor-option: executor 'local' has no options; --executor 'processes', ",
        ),
    ],
)
def test_a_wrong_executor_is_one_message(
    audiogen: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """It comes before anything is written."""
    result = audiogen("generate", "--prompt", "rain", *arguments, cwd=tmp_path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())


def test_workers_import_nothing_from_the_working_directory(model: Path, tmp_path: Path) -> None:
    """Where a user's own files may be called like libraries."""
    for name in ("av", "secrets"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the user')")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(sections(tmp_path / "out", 1)))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "audiogen_cli", "generate", *local_model(model),
         "--generation-config", config, "--executor", "processes",
         "--executor-option", "workers=1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
