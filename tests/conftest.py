"""What the tests share: the command, run for real, and tiny models to run it on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from hypothesis import HealthCheck, settings

from audiogen_cli.app import main
from audiogen_core.interrupts import STOPS
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model

SHARED = Path(__file__).parents[2] / "shared"
"""Further material, on machines that have it."""

DATA = Path(__file__).parent / "data"

# A machine that does something else for a moment makes no test fail.
settings.register_profile("audiogen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("audiogen")


@dataclass(frozen=True)
class Result:
    """What a run of the command gave back."""

    code: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # The variable is read once, when the package is imported.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """A run that was stopped lets the next signal end the process, which here is the tests'."""
    before = {number: signal.getsignal(number) for number in STOPS}
    # Where the tests run in the background it is ignored, which the commands they start inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def audiogen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process: ``audiogen("generate", ...)``."""

    def run(*args: str | Path, cwd: Path | None = None) -> Result:
        monkeypatch.setattr(sys, "argv", ["audiogen", *map(str, args)])
        if cwd is not None:
            monkeypatch.chdir(cwd)
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


def audiogen_process(
    *args: str | Path, cwd: Path | None = None, stdin: bytes = b"", **environment: str
) -> Result:
    """Runs the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "audiogen_cli", *map(str, args)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=300,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def report_of(*arguments: str) -> Any:
    """The JSON that a Python process prints which forks runs: on one thread, as forks need."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model with random weights."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def write_embedding_model(folder: Path) -> Path:
    """Writes a tiny model that also takes the mean of an embedding ``[T, 3]``, ``audio_prompt``."""
    config = tiny_config()
    conditioning = config["model"]["conditioning"]
    options = {"input_dim": 3, "pool_across_time": True, "project_out": True}
    conditioning["configs"].append({"id": "audio", "type": "pre_encoded_latent", "config": options})
    conditioning["default_keys"] = {"audio": "audio_prompt"}
    config["model"]["diffusion"]["cross_attention_cond_ids"].append("audio")
    return write_tiny_model(folder, config)


def local_model(folder: Path) -> list[str]:
    """The arguments that name a local model."""
    return [
        "--model-config", str(folder / "model_config.json"),
        "--ckpt-path", str(folder / "model.safetensors"),
    ]  # fmt: skip


def fresh_environment(folder: Path, *packages: Path) -> Path:
    """Makes an environment with packages in it, above what these tests have installed."""
    venv.create(folder, with_pip=False, symlinks=True)
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = run_in(folder, "-c", code).stdout.strip()
    # torch and its kin are too large to install again: they are seen through a path file.
    below = sysconfig.get_paths()["purelib"]
    (Path(site) / "below.pth").write_text(f"import site; site.addsitedir({below!r})\n")
    alone = ["--no-index", "--no-deps", "--no-build-isolation"]
    install = run_in(folder, "-m", "pip", "install", *alone, *packages)
    assert install.returncode == 0, install.stderr
    return folder


def run_in(environment: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs an environment's Python."""
    return subprocess.run(
        [environment / "bin" / "python", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Writes a generation config that works with the tiny model, changed by keyword."""

    def write(name: str = "config.json", **sections: Any) -> Path:
        config = {
            "generation": {"steps": 2, "seed": 1},
            "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1},
            "input": {"type": "config", "samples": [{"prompt": "a jazz piece"}]},
            "output": {"output_dir": str(tmp_path / "out"), "file_format": "wav"},
        }
        for section, values in sections.items():
            if isinstance(values, dict) and section != "input":
                config[section] = {**config.get(section, {}), **values}
            else:
                config[section] = values
        path = tmp_path / name
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    return write
