"""Who is alive: a process number alone does not tell, for it is given out again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from audiogen_core.runfolder import workers
from audiogen_core.runfolder.workers import ENDING, SECONDS_TO_LIVE, UNKNOWN, Heartbeat, is_alive


def test_a_number_that_was_given_out_again_is_not_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system does not say when a process was started, its heartbeat tells."""
    monkeypatch.setattr(workers, "_started", lambda _: UNKNOWN)
    machine = workers.this_worker().partition("-")[0]
    worker = f"{machine}-{os.getppid()}-{UNKNOWN}"  # its number is that of a process that runs
    with Heartbeat(tmp_path):
        assert not is_alive(worker, tmp_path)
        beat = tmp_path / f"{worker}{ENDING}"
        beat.touch()
        assert is_alive(worker, tmp_path)
        long_ago = time.time() - 2 * SECONDS_TO_LIVE
        os.utime(beat, (long_ago, long_ago))
        assert not is_alive(worker, tmp_path)
