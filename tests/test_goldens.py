"""What the reference implementation makes of tiny models, through the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core.testing.encoders import decode
from tests.conftest import DATA, SHARED, Command, audiogen_process, local_model

FOLDERS = (DATA / "golden", SHARED / "golden")


def cases() -> Iterator[Any]:
    """Every run of every case, of the project's own and of further ones where they exist."""
    for folder in FOLDERS:
        for runs in sorted(folder.glob("*/runs.json")):
            for name, run in json.loads(runs.read_text(encoding="utf-8")).items():
                yield pytest.param(
                    runs.parent, run, id=f"{folder.parent.name}-{runs.parent.name}-{name}"
                )


def write_config(run: dict[str, Any], folder: Path) -> Path:
    """The generation config of a run."""
    config = {
        "generation": run["generation"],
        "input": {"type": "config", "samples": [run["conditioning"]]},
        "conditioning_defaults": {},
        "output": {
            "output_dir": str(folder / "out"),
            "file_format": "wav",
            "cut_to_seconds_total": False,
        },
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def ratio_in_decibels(expected: np.ndarray, found: np.ndarray) -> float:
    """The signal-to-noise ratio."""
    wanted = expected.astype(np.float64) / 32767
    noise = np.square(wanted - found).sum()
    return float("inf") if noise == 0 else 10 * np.log10(np.square(wanted).sum() / noise)


def assert_matches(case: Path, run: dict[str, Any], wav: Path) -> None:
    """Fails unless the file is what the reference made, as far as rounding allows to tell."""
    expected = np.load(case / run["expected"])
    found, _ = decode(wav)
    assert found.shape == expected.shape
    wanted = min(60.0, run["rounding_sensitivity_db"] - 12)
    assert ratio_in_decibels(expected, found) >= wanted


@pytest.mark.parametrize(("case", "run"), list(cases()))
def test_the_command_makes_what_the_reference_makes(
    case: Path, run: dict[str, Any], tmp_path: Path, audiogen: Command
) -> None:
    """Every golden run holds."""
    config = write_config(run, tmp_path)
    result = audiogen(
        "generate", *local_model(case), "--generation-config", config, "--device", "cpu", cwd=case
    )
    assert result.code == 0, result.err
    assert_matches(case, run, Path(result.out.strip()))


def test_a_process_of_its_own_makes_the_same(tmp_path: Path) -> None:
    """Nothing that the tests have set up helps the command."""
    case, run, *_ = next(iter(cases())).values
    config = write_config(run, tmp_path)
    result = audiogen_process(
        "generate", *local_model(Path()), "--generation-config", config, cwd=case
    )
    assert result.code == 0, result.err
    assert_matches(case, run, Path(result.out.strip()))
