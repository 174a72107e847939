"""The executor `ray`: the files of a run alone, and nothing that outlives the command."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from audiogen_core.errors import NotInstalledError
from audiogen_plugins.executors.ray import Ray
from tests.conftest import Command
from tests.crashes import contents
from tests.faults import MARK, batches_begun, marked, raylets, spy, wait_until

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or not Path("/proc/self/task").exists(),
    reason="needs Ray, and /proc",
)
CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
print(cluster.address, flush=True)
sys.stdin.readline()
node = cluster.add_node(num_cpus=1)
sys.stdin.readline()
cluster.remove_node(node, allow_graceful=False)
sys.stdin.readline()
cluster.shutdown()
"""
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
    config = written(tmp_path, 6, steps=2)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        generate(config, "--out", str(tmp_path / "ray"), *RAY),
        env={**environment, **spy(tmp_path, {"sound 0": 2, "sound 3": 100})},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 3, result.stderr
    assert "input.samples[3]" in result.stderr
    tries = [prompts for _, prompts in batches_begun(tmp_path / "log")]
    assert tries.count(("sound 0", "sound 1")) == 3
    assert tries.count(("sound 3",)) == 3
    alone = subprocess.run(
        generate(config, "--out", str(tmp_path / "alone")), env=environment, capture_output=True
    )
    assert alone.returncode == 0
    found, expected = contents(tmp_path / "ray"), contents(tmp_path / "alone")
    assert "sound 3.wav" not in found
    for number in (0, 1, 4, 5):
        name = f"sound {number}.wav"
        assert found[name] == expected[name], name


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_ray_ends_with_the_command(tmp_path: Path, number: signal.Signals) -> None:
    """No process and no file of Ray is left; a Ray that is lost before is started anew."""
    config = written(tmp_path, 400, steps=20)
    mark = str(tmp_path)
    # Ray's sockets need a short path.
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))
    command = subprocess.Popen(
        generate(config, "--out", str(tmp_path / "out"), *RAY[:-1], "workers=1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            MARK: mark,
            "TMPDIR": str(temporary),
        },
    )
    assert command.stdout is not None
    for _ in range(3):
        assert command.stdout.readline()
    assert len(marked(mark)) > 3
    if number is signal.SIGTERM:
        os.kill(raylets(mark)[0], signal.SIGKILL)
        for _ in range(5):  # four may have been on their way
            assert command.stdout.readline()
        assert raylets(mark)
    command.send_signal(number)
    _, errors = command.communicate(timeout=300)
    wait_until(lambda: not marked(mark))
    assert not list(temporary.iterdir())
    temporary.rmdir()
    count = len(list((tmp_path / "out").glob("*.wav")))
    assert 0 < count < 400
    if number is signal.SIGTERM:
        assert command.returncode == 130
        assert f"interrupted: {count} written, {400 - count} left" in errors
        assert "note: Ray has ended" in errors
        again = subprocess.run(
            generate(written(tmp_path, count + 2, steps=20), "--out", str(tmp_path / "out")),
            capture_output=True,
        )
        assert again.returncode == 0
        assert len(list((tmp_path / "out").glob("*.wav"))) >= count + 2


@needs_ray
@pytest.mark.slow
def test_nodes_come_and_go(tmp_path: Path) -> None:
    """A new node gets a worker, and what a lost one had is made elsewhere; a token is taken."""
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str(temporary),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    }
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, **spy(tmp_path, pause=1.0)},
    )
    assert cluster.stdin is not None
    assert cluster.stdout is not None

    def change() -> None:
        print(file=cluster.stdin, flush=True)

    def begun() -> dict[int, tuple[str, ...]]:
        """The last batch of each worker."""
        return dict(batches_begun(tmp_path / "log"))

    address = cluster.stdout.readline().strip()
    ray = ["--executor", "ray", "--executor-option", f"address={address}"]
    out = tmp_path / "out"
    command = subprocess.Popen(
        generate(written(tmp_path, 2000, steps=2), *ray, "--out", str(out)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    wait_until(lambda: len(begun()) == 1)
    (first,) = begun()
    change()
    wait_until(lambda: len(begun()) == 2)
    change()
    (second,) = begun().keys() - {first}
    wait_until(lambda: not Path(f"/proc/{second}").exists())
    wait_until(lambda: all((out / f"{one}.wav").exists() for one in begun()[second]))
    command.terminate()
    _, errors = command.communicate(timeout=300)
    assert command.returncode == 130, errors
    none = subprocess.run(
        generate(written(tmp_path, 1, steps=2), *ray, "--executor-option", "cpus=2"),
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    cluster.communicate("\n", timeout=300)
    shutil.rmtree(temporary)
    assert none.returncode == 2
    assert "no node of the cluster has room for a worker, which needs 2 CPUs" in none.stderr


@needs_ray
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("address=127.0.0.1:1", "--executor ray: no Ray cluster at '127.0.0.1:1'"),
        ("address=ray://here:1", "--executor-option.address: must be HOST:PORT or 'auto'"),
        (f"address=here:{'1' * 5000}", "--executor-option.address: must be HOST:PORT or 'auto'"),
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
