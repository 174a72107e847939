"""Standard streams that whoever starts the command has closed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import local_model


def test_a_closed_standard_error_keeps_the_exit_code(tmp_path: Path) -> None:
    """A wrong config is exit code 2 also where the message has nowhere to go."""
    config = tmp_path / "config.json"
    config.write_text("{}", encoding="utf-8")
    command = (
        f"exec {sys.executable} -m audiogen_cli generate --pretrained-name a/b "
        f"--generation-config {config} 2>&-"
    )
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 2


def test_a_closed_standard_output_costs_no_file(
    tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """The paths of finished files have nowhere to go; the files are written all the same."""
    model = " ".join(map(str, local_model(tiny_model)))
    command = (
        f"exec {sys.executable} -m audiogen_cli generate {model} "
        f"--generation-config {write_config()} >&-"
    )
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0
    assert sorted(one.suffix for one in (tmp_path / "out").glob("*.*")) == ["", ".json", ".wav"]
