"""Standard streams that whoever starts the command has closed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_closed_standard_error_keeps_the_exit_code(tmp_path: Path) -> None:
    """A wrong config is exit code 2 also where the message has nowhere to go."""
    config = tmp_path / "config.json"
    config.write_text("{}", encoding="utf-8")
    command = (
        f"exec {sys.executable} -m audiogen_cli generate --pretrained-name a/b "
        f"--generation-config {config} 2>&-"
    )
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 2
