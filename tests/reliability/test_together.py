"""Several processes on one folder share its work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from audiogen_core.cancelling import Cancelling
from audiogen_core.config import parse_config
from audiogen_core.executing import dispatch
from audiogen_core.executing.local import Local
from audiogen_core.interfaces.executor import Executor
from audiogen_core.interfaces.observer import Observer
from audiogen_core.models.source import LocalSource
from audiogen_core.outcome import Outcome
from audiogen_core.pipeline import run
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Request
from audiogen_core.runfolder.claims import Claims
from audiogen_core.worklist import claim_name
from tests.conftest import report_of

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.slow,
]

SCRIPT = """
import json, os, random, signal, sys, tempfile, time
from pathlib import Path
from tests.crashes import Workshop, contents, ended, wait_for_samples

items, processes, killed = map(int, sys.argv[1:])
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    workshop = Workshop(folder)
    def config(out, **more):
        return workshop.config(out, outputs=items, seed=-1, steps=1, cfg_scale=1.0, **more)
    out = folder / "together"
    started = time.monotonic()
    shared = config(out)
    pids = [workshop.start(shared, "--max-batch=10") for _ in range(processes)]
    for number, pid in enumerate(pids[:killed], start=1):
        wait_for_samples(pid, shared, 10 * number)
        os.kill(pid, signal.SIGKILL)
    codes = [ended(pid) for pid in pids]
    # The next run clears up after the killed ones, and has nothing to make.
    codes.append(workshop.run(shared, "--max-batch=10"))
    found = contents(out)
    made = len(shared.with_suffix(".made").read_text())
    hidden = sorted(path.suffix or path.name for path in (out / ".audiogen").iterdir())
    # The same alone, with the same key for seeds.
    (folder / "alone" / ".audiogen").mkdir(parents=True)
    key = (out / ".audiogen" / "seeds").read_bytes()
    (folder / "alone" / ".audiogen" / "seeds").write_bytes(key)
    alone = workshop.run(config(folder / "alone"), "--max-batch=10")
    same = contents(folder / "alone") == found
    log = shared.with_suffix(".log").read_text()
print(json.dumps({"codes": codes, "files": len(found), "made": made, "same": same,
                  "hidden": hidden, "alone": alone, "log": log[-2000:]}))
"""


def together(items: int, processes: int, killed: int) -> dict[str, object]:
    """What came of several processes that were started at once, some of them killed."""
    found: dict[str, object] = report_of("-c", SCRIPT, str(items), str(processes), str(killed))
    return found


def test_eight_processes_share_500_outputs() -> None:
    """Each is made once, all processes end well, and the files are those of one process alone."""
    report = together(500, 8, 0)
    assert report["codes"] == [0] * 9, report["log"]
    assert report["files"] == 1000
    assert report["made"] == 500
    assert report["same"]
    assert set(report["hidden"]) == {".journal", "seeds"}  # type: ignore[call-overload]


def test_the_work_of_killed_processes_is_taken_over() -> None:
    """The others make what the dead had claimed, within the same run."""
    report = together(120, 4, 2)
    assert report["codes"] == [-9, -9, 0, 0, 0], report["log"]
    assert report["files"] == 240
    assert report["same"]
    assert report["made"] <= 120 + 2 * 10  # type: ignore[operator]


class Waits(Observer):
    """Does something as soon as a run says that it waits.

    Args:
        then: What.
    """

    NAME = "waits"

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self.said: list[str] = []
        self._then = then

    def stage(self, what: str) -> None:
        """Keeps what is said of waiting."""
        if what.startswith("waiting"):
            self.said.append(what)
            self._then()


def made(
    model: Path, folder: Path, prompts: str, observer: Observer,
    executor: Executor | None = None, max_batch: int | None = None,
) -> Outcome:  # fmt: skip
    """What comes of a run with a prompt for each letter, which writes below a folder."""
    sections: dict[str, Any] = {
        "generation": {"steps": 1, "seed": 1},
        "conditioning_defaults": {"seconds_start": 0, "seconds_total": 0.3},
        "input": {"type": "config", "samples": [{"prompt": one} for one in prompts]},
        "output": {"output_dir": str(folder / "out"), "file_naming": "prompt"},
    }
    plugins = installed_plugins()
    source = LocalSource(model / "model_config.json", model / "model.safetensors")
    config = parse_config(sections, plugins)
    request = Request(config, source, torch.device("cpu"), max_batch=max_batch)
    return run(request, plugins, [observer], executor=executor)


def test_a_run_says_that_it_waits_for_another(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, with how many outputs; and it makes those that the other has let go of."""
    monkeypatch.setattr(dispatch, "SECONDS_UNTIL_SAID", 0.0)
    hidden = tmp_path / "out" / ".audiogen"
    hidden.mkdir(parents=True)
    others = Claims(hidden)
    names = [claim_name(SimpleNamespace(stem=stem)) for stem in "ab"]
    assert others.claim(names)
    observer = Waits(lambda: others.release(names))
    outcome = made(tiny_model, tmp_path, "abc", observer, max_batch=1)
    assert observer.said == ["waiting for 2 outputs that another run is making"]
    assert [path.stem for path in outcome.written] == ["c", "a", "b"]


class Ended(Observer):
    """Keeps what it is told at the end."""

    NAME = "ended"

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: list[Outcome] = []

    def run_ended(self, outcome: Outcome) -> None:
        """Keeps it."""
        self.outcomes.append(outcome)


class Slow(Local):
    """Its workers are being ended when somebody presses Ctrl-C."""

    def stop(self) -> None:
        """Is interrupted."""
        raise KeyboardInterrupt


def test_an_interrupt_while_workers_end_loses_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """All is made by then: the outcome is told to observers and to who has called."""
    observer = Ended()
    outcome = made(tiny_model, tmp_path, "a", observer, executor=Slow())
    assert [path.stem for path in outcome.written] == ["a"]
    assert outcome.interrupted
    assert observer.outcomes == [outcome]


def test_a_run_that_waits_can_be_cancelled(tiny_model: Path, tmp_path: Path) -> None:
    """Although no step of a sampler comes at which to look."""
    hidden = tmp_path / "out" / ".audiogen"
    hidden.mkdir(parents=True)
    others, names = Claims(hidden), [claim_name(SimpleNamespace(stem="a"))]
    assert others.claim(names)
    event = threading.Event()
    threading.Timer(1.0, event.set).start()
    rescue = threading.Timer(20.0, others.release, [names])  # a run that cannot ends all the same
    rescue.start()
    outcome = made(tiny_model, tmp_path, "a", Cancelling(event))
    rescue.cancel()
    assert list(hidden.glob("*.claim")), "it has waited until the other one was done"
    assert (outcome.interrupted, outcome.left) == (True, 1)
