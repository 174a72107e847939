"""Runs that are killed lose nothing, and are brought to the same end."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.crashes import BATCH

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def crashes(*arguments: str) -> dict[str, object]:
    """Runs ``python -m tests.crashes``."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crashes", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_runs_end_as_undisturbed_ones(seed: int) -> None:
    """Of 200 kills none leaves half a file, and every run ends with the same bytes."""
    report = crashes("--kills", "50", "--seed", str(seed))
    assert report["kills"] >= 50  # type: ignore[operator]
    assert report["partial"] == report["different"] == report["left_over"] == []
    assert report["redone"] <= BATCH  # type: ignore[operator]
    moments = report["moments"]
    assert isinstance(moments, dict)
    assert len(moments) >= 3, "the kills came at too few moments to tell anything"


@pytest.mark.slow
def test_a_naive_writer_is_found_out() -> None:
    """What writes straight to the final name fails the same test."""
    report = crashes("--kills", "20", "--seed", "0", "--naive")
    assert report["partial"] or report["different"]
