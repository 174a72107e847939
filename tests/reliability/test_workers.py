"""Who is alive: a process number alone does not tell, for it is given out again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audiogen_core.runfolder import claims, workers
from audiogen_core.runfolder.claims import Claims
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


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_process_that_nobody_asks_about_has_ended(tmp_path: Path) -> None:
    """Killed in a container whose first process asks after none, it is no worker any more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        machine = workers.this_worker().partition("-")[0]
        worker = f"{machine}-{process.pid}-{workers._started(process.pid)}"
        assert is_alive(worker, tmp_path)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(worker, tmp_path)


def test_two_runs_of_one_process_show_that_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first to end does not hide the other."""
    monkeypatch.setattr(workers, "SECONDS_BETWEEN_BEATS", 0.01)
    shown = tmp_path / f"{workers.this_worker()}{ENDING}"
    with Heartbeat(tmp_path):
        with Heartbeat(tmp_path):
            assert shown.exists()
        end = time.monotonic() + 10
        while not shown.exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert shown.exists()
    assert not shown.exists()


def claims_of(folder: Path) -> list[str]:
    """The files of claims."""
    return sorted(path.name for path in folder.glob("*.claim"))


def test_claims_are_given_back_where_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or an interrupt leaves no claim that this process would wait for itself."""
    make = claims.create_once

    def full(path: Path, content: bytes) -> bool:
        if path.name.startswith("b"):
            raise OSError(28, "No space left on device")
        return make(path, content)

    monkeypatch.setattr(claims, "create_once", full)
    with pytest.raises(OSError, match="No space"):
        Claims(tmp_path).claim(["a", "b"])
    assert claims_of(tmp_path) == []


def test_a_claim_after_one_that_was_cleared_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes over from a dead process looks whether somebody has cleared up meanwhile."""
    (tmp_path / "a.0.claim").write_bytes(b"elsewhere-1-1")  # of a machine that shows no heartbeat
    make = claims.create_once

    def slow(path: Path, content: bytes) -> bool:
        made = make(path, content)
        if path.name == "a.1.claim":
            (tmp_path / "a.0.claim").unlink()
        return made

    monkeypatch.setattr(claims, "create_once", slow)
    assert not Claims(tmp_path).claim(["a"])
    assert claims_of(tmp_path) == []
    monkeypatch.undo()
    assert Claims(tmp_path).claim(["a"])
    assert claims_of(tmp_path) == ["a.0.claim"]
