"""A third party's package, installed with pip into an environment of its own and used."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from audiogen_core.testing.encoders import decode
from tests.conftest import fresh_environment, local_model, run_in

PACKAGE = Path(__file__).parents[1] / "examples" / "third_party"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the package in it, and what these tests have installed below it."""
    return fresh_environment(tmp_path_factory.mktemp("environment"), PACKAGE)


def run(environment: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command in the environment."""
    return run_in(environment, "-m", "audiogen_cli", *arguments)


def test_pip_installs_it_and_the_list_shows_it(environment: Path) -> None:
    """The package's plugins stand in the list with their distribution and version."""
    result = run(environment, "plugins", "list")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["k-euler", "sampler", "audiogen-example", "1.0.0"] in lines
    assert ["aiff", "encoder", "audiogen-example", "1.0.0"] in lines
    assert not result.stderr


def test_a_config_can_use_it(
    environment: Path, tiny_model: Path, write_config: Callable[..., Path]
) -> None:
    """Its sampler, its option and its format make a file that decodes."""
    config = write_config(
        generation={"sampler_type": "k-euler", "s_churn": 1.0, "steps": 3},
        output={"file_format": "aiff"},
    )
    result = run(environment, "generate", *local_model(tiny_model), "--generation-config", config)
    assert result.returncode == 0, result.stderr
    path = Path(result.stdout.strip())
    audio, rate = decode(path)
    assert (path.suffix, audio.shape, rate) == (".aiff", (2, 44100), 44100)
    metadata = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["software"]["plugins"]["sampler"] == "audiogen-example 1.0.0"
    assert metadata["generation_config"]["s_churn"] == 1.0


def test_its_options_are_checked_like_a_built_in_s(
    environment: Path, tiny_model: Path, write_config: Callable[..., Path]
) -> None:
    """A misspelt option of a third party's sampler has a did-you-mean."""
    config = write_config(generation={"sampler_type": "k-euler", "s_chrun": 1.0})
    result = run(environment, "generate", *local_model(tiny_model), "--generation-config", config)
    assert result.returncode == 2
    assert "generation.s_chrun: unknown key for sampler 'k-euler' (did you mean 's_churn'?)" in (
        result.stderr
    )


def test_its_own_tests_pass(environment: Path) -> None:
    """The contract checks that this project ships run from another project."""
    done = subprocess.run(
        [environment / "bin" / "python", "-m", "pytest", "-q", PACKAGE / "tests"],
        capture_output=True,
        text=True,
        cwd=PACKAGE,
    )
    assert done.returncode == 0, done.stdout
