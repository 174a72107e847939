"""A run that is asked to stop finishes its file, says what is left, and exits with 130."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from audiogen_core.interrupts import held_stop
from tests.conftest import report_of

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.slow,
]

SCRIPT = """
import json, os, random, signal, sys, tempfile, time
from pathlib import Path
from tests.crashes import BATCH, Workshop, contents, ended, wait_for_samples

number, twice = getattr(signal, sys.argv[1]), sys.argv[2] == "twice"
rng = random.Random(0)
ends = []
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    workshop = Workshop(folder)
    workshop.run(workshop.config(folder / "warm"))
    lengths = []
    for turn in range(3):
        whole = folder / f"whole{turn}"
        started = time.monotonic()
        workshop.run(workshop.config(whole), f"--max-batch={BATCH}")
        lengths.append(time.monotonic() - started)
    length = min(lengths)  # the disk may have kept one of them waiting
    wanted = contents(whole)
    for moment in range(20):
        out = folder / f"out{moment}"
        config = workshop.config(out)
        pid = workshop.start(config, f"--max-batch={BATCH}")
        # A third of them anywhere, the others while the first or the second batch is made.
        begun = BATCH * (moment % 3)
        wait_for_samples(pid, config, begun)
        time.sleep(rng.uniform(0, 0.2 if begun else 1) * length)
        os.kill(pid, number)
        if twice:
            time.sleep(rng.uniform(0, 0.02))
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        signalled = time.monotonic()
        code = ended(pid, config)
        found = contents(out)
        ends.append({
            "code": code,
            "seconds": time.monotonic() - signalled,
            "torn": [one for one in found if found[one] != wanted.get(one)],
            "alone": [one for one in found
                      if Path(one).with_suffix({".wav": ".json"}.get(Path(one).suffix, ".wav")).name
                      not in found],
            "said": config.with_suffix(".log").read_text(),
        })
        again = workshop.run(config, f"--max-batch={BATCH}")
        ends[-1]["again"] = again == 0 and contents(out) == wanted
print(json.dumps(ends))
"""


INSISTED = """
import json, os, signal, tempfile, time
from pathlib import Path
from tests.crashes import Workshop, ended
from audiogen_plugins.encoders.wav import Wav

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    workshop = Workshop(folder)

    def slow():
        def encode(self, *arguments):
            (folder / "writing").touch()
            time.sleep(60)
        Wav.encode = encode

    pid = workshop.start(workshop.config(folder / "out"), before=slow)
    while not (folder / "writing").exists():
        time.sleep(0.05)
    os.kill(pid, signal.SIGTERM)
    time.sleep(1)
    found, status = os.waitpid(pid, os.WNOHANG)
    first = os.waitstatus_to_exitcode(status) if found else None
    started = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    code = ended(pid)
    print(json.dumps([code, time.monotonic() - started, first]))
"""


def insisted() -> tuple[int, float, int | None]:
    """How a run ends that is asked twice while it writes a file for a minute.

    The exit code, the seconds after the second signal, and the exit code after the first.
    """
    code, seconds, first = report_of("-c", INSISTED)
    return code, seconds, first


def test_who_calls_it_keeps_the_signals() -> None:
    """In a program of one's own, a signal that came while a file was written is raised once."""
    ours = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), held_stop():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is ours


def test_a_signal_that_comes_as_they_are_taken_over_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no moment at which a signal is neither raised nor held."""
    install, done = signal.signal, []

    def installed(number: int, handler: Any) -> Any:
        before = install(number, handler)
        if not done:
            done.append("signalled")
            signal.raise_signal(signal.SIGINT)
        return before

    monkeypatch.setattr(signal, "signal", installed)
    with pytest.raises(KeyboardInterrupt), held_stop():
        done.append("finished")
    assert done == ["signalled", "finished"]


def ends(name: str, how: str) -> list[dict[str, object]]:
    """What came of 20 runs that were signalled at random moments."""
    found: list[dict[str, object]] = report_of("-c", SCRIPT, name, how)
    return found


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_run_in_order(name: str) -> None:
    """At 20 random moments: nothing torn, exit code 130, and the same command goes on."""
    found = ends(name, "once")
    stopped = [one for one in found if one["code"] == 130]
    assert len(stopped) >= 10
    for one in found:
        # What ended before the signal, or before it could be told from being started.
        assert one["code"] in {0, 130, -getattr(signal, name)}, one["said"]
        assert one["torn"] == []
        assert one["again"], one["said"]
    for one in stopped:
        assert one["alone"] == []
        assert "interrupted" in str(one["said"])
    counts = [
        re.search(r"interrupted: (\d+) written, (\d+) left", str(one["said"])) for one in found
    ]
    assert any(count and int(count[1]) + int(count[2]) == 12 for count in counts)


def test_a_second_signal_ends_it_at_once() -> None:
    """Whoever insists is not made to wait, and still nothing is torn under a final name."""
    code, seconds, first = insisted()
    assert first is None, "the file that was being written is finished first"
    assert code == -signal.SIGTERM
    assert seconds < 5
    for one in ends("SIGTERM", "twice"):
        torn = [name for name in one["torn"] if not name.startswith(".audiogen-")]  # type: ignore[attr-defined]
        assert torn == []
        # Two that come before Python has looked are one, after which the run ends in order.
        assert one["code"] != -signal.SIGTERM or one["seconds"] < 1  # type: ignore[operator]
        assert one["again"], one["said"]
