"""What the displays say of a run."""

from __future__ import annotations

import contextlib
import errno
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from audiogen_plugins.observers import progress
from audiogen_plugins.observers.progress import Bar, Lines, Progress, Quiet


def test_lines_report_a_download_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However often they are told; the total is left out where nobody knows it."""
    seconds = iter(range(100))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))
    lines = Lines()
    lines.stage("getting the weights")
    for done in range(10):
        lines.downloaded(done * 10**9, 9 * 10**9 if done < 6 else None)
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "getting the weights", "downloaded 4.0 GB of 9.0 GB", "downloaded 9.0 GB"
    ]  # fmt: skip


def test_lines_tell_of_a_stage_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Checking many files one after the other is one line."""
    lines = Lines()
    for stage in ("reading the model config", "reading the model config", "loading the model"):
        lines.stage(stage)
    assert capsys.readouterr().err == "reading the model config\nloading the model\n"


def test_the_bar_shows_a_download(capsys: pytest.CaptureFixture[str]) -> None:
    """With what has arrived, of how much; and the next stage begins at nothing."""
    with contextlib.closing(Bar()) as bar:
        bar.stage("getting the weights")
        [task] = bar._progress.tasks
        bar.downloaded(3 * 10**9, 4 * 10**9)
        assert (task.percentage, task.fields["count"]) == (75, "3.0 GB/4.0 GB")
        bar.downloaded(3 * 10**9, None)
        assert task.fields["count"] == "3.0 GB"
        bar.stage("loading the model")
        [task] = bar._progress.tasks
        assert (task.completed, task.total, task.fields["count"]) == (0, None, "")


def test_a_batch_is_told_by_the_outputs_in_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From where to where, once there is more than one."""
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    lines = Lines()
    jobs = [Mock()] * 3
    lines.run_started(Mock(), jobs)
    lines.batch_started(jobs[:2])
    lines.step(1, 4)
    lines.sample_done(Mock(path=Path("a.wav"), address=None))
    lines.sample_failed(Mock(where="input.samples[1]", seed=3), "no room")
    lines.batch_started(jobs[2:])
    lines.step(1, None)
    assert capsys.readouterr().err.splitlines() == [
        "generating 3 outputs", "outputs 1-2 of 3: step 1 of 4",
        "failed: input.samples[1] (seed 3): no room", "output 3 of 3: step 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("terminal", "display", "made"),
    [
        (True, "auto", Bar), (False, "auto", Lines), (True, "quiet", Quiet),
        (True, "lines", Lines), (False, "bar", Bar),
    ],
)  # fmt: skip
def test_the_display_that_fits(
    terminal: bool, display: str, made: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar on a terminal and lines elsewhere, unless something is asked for."""
    monkeypatch.setattr(sys, "stderr", Mock(**{"isatty.return_value": terminal}))
    options = Progress.Options.model_validate({"display": display})
    with contextlib.closing(Progress(options)) as shown:
        assert type(shown) is made


def test_a_quiet_run_says_nothing_of_a_download(capsys: pytest.CaptureFixture[str]) -> None:
    """On either stream."""
    Quiet().downloaded(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("error", [BrokenPipeError, OSError(errno.ENOSPC, "No space left")])
def test_paths_that_nobody_takes_do_not_end_a_run(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where standard output fails, what follows goes to standard error."""
    quiet = Quiet()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Mock(**{"write.side_effect": error}))
        quiet.sample_done(Mock(path=Path("a.wav"), address=None))
        quiet.sample_done(Mock(path=Path("b.wav"), address=None))
    assert quiet.done == 2
    assert capsys.readouterr() == ("", "b.wav\n")


def test_a_bar_draws_nothing_before_there_is_something_to_tell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A config that is only read, or refused, leaves no bar and no hidden cursor behind."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    bar = Bar()
    bar.note("something")
    assert capsys.readouterr().err == "note: something\n"
    bar.stage("starting")
    bar.close()
    shown = capsys.readouterr().err
    assert shown.index("\x1b[?25l") < shown.index("\x1b[?25h")
