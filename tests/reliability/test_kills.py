"""Runs that are killed lose nothing, and are brought to the same end."""

from __future__ import annotations

import os

import pytest

from tests.conftest import report_of
from tests.crashes import BATCH

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def crashes(*arguments: str) -> dict[str, object]:
    """Runs ``python -m tests.crashes``."""
    found: dict[str, object] = report_of("-m", "tests.crashes", *arguments)
    return found


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
