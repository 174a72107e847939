"""Packages of third parties, installed with pip into an environment of their own, and used."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from audiogen_core.testing.encoders import decode
from tests.conftest import Command, fresh_environment, local_model, run_in

EXAMPLES = Path(__file__).parents[1] / "examples" / "third_party"
PACKAGES = ("audiogen-k-euler", "audiogen-aiff", "audiogen-rows")


def run(environment: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a module of the environment's Python."""
    return run_in(environment, "-m", *arguments)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the packages in it, and what these tests have installed below it."""
    packages = [EXAMPLES / name for name in PACKAGES]
    return fresh_environment(tmp_path_factory.mktemp("environment"), *packages)


@pytest.mark.parametrize("name", PACKAGES)
def test_they_have_pip_get_nothing_else_called_audiogen(name: str) -> None:
    """An index may have another project of this name, so that they do not ask for it."""
    text = (EXAMPLES / name / "pyproject.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["project"]["dependencies"] == []


def test_the_list_shows_them(environment: Path) -> None:
    """Each stands in the list with its own distribution and version."""
    result = run(environment, "audiogen_cli", "plugins", "list")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["k-euler", "sampler", "audiogen-k-euler", "0.1.0", "ok"] in lines
    assert ["aiff", "encoder", "audiogen-aiff", "0.1.0", "ok"] in lines
    assert ["rows", "input", "source", "audiogen-rows", "0.1.0", "ok"] in lines
    assert not result.stderr


def test_a_config_can_use_them(
    environment: Path, tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """A row of a file becomes audio in the format, made by the sampler with its option."""
    rows = tmp_path / "rows.csv"
    rows.write_text("prompt,seconds_total\na jazz piece,0.5\n", encoding="utf-8")
    config = write_config(
        generation={"sampler_type": "k-euler", "s_churn": 1.0, "steps": 3},
        input={"type": "rows", "csv_file": str(rows)},
        output={"file_format": "aiff"},
    )
    arguments = [*local_model(tiny_model), "--generation-config", config]
    result = run(environment, "audiogen_cli", "generate", *arguments)
    assert result.returncode == 0, result.stderr
    path = Path(result.stdout.strip())
    audio, rate = decode(path)
    assert (path.suffix, audio.shape, rate) == (".aiff", (2, 22050), 44100)
    metadata = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["software"]["plugins"]["sampler"] == "audiogen-k-euler 0.1.0"
    assert metadata["generation_config"]["s_churn"] == 1.0
    # Their options are checked like a built-in's, with a did-you-mean.
    config = write_config(generation={"sampler_type": "k-euler", "s_chrun": 1.0})
    arguments = [*local_model(tiny_model), "--generation-config", config]
    result = run(environment, "audiogen_cli", "generate", *arguments)
    assert result.returncode == 2
    unknown = "generation.s_chrun: unknown key for sampler 'k-euler' (did you mean 's_churn'?)"
    assert unknown in result.stderr


def test_their_own_tests_pass(environment: Path) -> None:
    """The contract checks and fixtures that this project ships work from other projects."""
    tests = [EXAMPLES / name / "tests" for name in PACKAGES]
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", f"--rootdir={EXAMPLES}"]
    done = run(environment, "pytest", *options, *tests)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_one_that_is_removed_is_gone(environment: Path) -> None:
    """The others stay, and a config that names it says what is known."""
    removed = run(environment, "pip", "uninstall", "--yes", "audiogen-rows")
    assert removed.returncode == 0, removed.stderr
    shown = run(environment, "audiogen_cli", "plugins", "show", "input-source", "rows")
    assert shown.returncode == 2
    assert "'rows' is not a known input source" in shown.stderr
    checked = run(environment, "audiogen_cli", "plugins", "check", "aiff")
    assert checked.stdout == "ok      encoder          aiff (audiogen-aiff 0.1.0)\n"


def test_one_is_what_the_command_writes_but_for_its_algorithm(
    audiogen: Command, tmp_path: Path
) -> None:
    """The package ``audiogen-aiff`` is made by ``audiogen plugins new``."""
    result = audiogen("plugins", "new", "encoder", "aiff", tmp_path / "audiogen-aiff")
    assert result.code == 0
    written = [Path(line) for line in result.out.splitlines()]
    assert len(written) == 6
    for path in written:
        ours = EXAMPLES / path.relative_to(tmp_path)
        same = path.read_bytes() == ours.read_bytes()
        assert same == (path.name != "encoder.py"), f"{ours} differs"
