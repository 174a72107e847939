"""Kills runs at random moments, starts them again, and counts what was lost.

``python -m tests.crashes --kills 2000`` prints a report as JSON. A process that has everything
imported is forked for each run, so that a run takes as long as its work.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import audiogen_core.making
from audiogen_cli.app import main as command
from audiogen_core.batching import Batch
from audiogen_core.publishing import Draft
from audiogen_core.runfolder import HIDDEN
from audiogen_core.standing import Standing, State
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from audiogen_plugins.conditioners import pretrained

OUTPUTS = 12
BATCH = 4
SECONDS_TO_END = 300.0
"""After so many a process hangs, on any machine."""


@dataclass
class Report:
    """What came of killing runs.

    Attributes:
        kills: How many runs were killed.
        resumed: How many rounds were brought to their end.
        partial: Files under final names that were not whole, each time they were seen.
        different: Files that differ from those of an undisturbed run.
        left_over: Files of an ended round that an undisturbed run would not leave.
        redone: The most samples that were whole and had to be made again, for each kill.
        moments: How many outputs stood when a run was killed, and how often.
    """

    kills: int = 0
    resumed: int = 0
    partial: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    redone: float = 0.0
    moments: dict[int, int] = field(default_factory=dict)


class Workshop:
    """A tiny model, and runs of it.

    Args:
        folder: Where everything goes.
        naive: Whether to write as one should not: straight to the name, and whatever stands is
            taken for done.
    """

    def __init__(self, folder: Path, *, naive: bool = False) -> None:
        self._folder = folder
        self._naive = naive
        config = tiny_config()
        config["sample_size"] = 16384
        self._model = write_tiny_model(folder / "model", config)
        # What a run imports late is imported once, before the forks.
        pretrained.transformers().T5EncoderModel  # noqa: B018
        torch.set_num_threads(1)

    def config(self, out: Path, *, outputs: int = OUTPUTS, **generation: Any) -> Path:
        """Writes a config for so many outputs."""
        path = out.with_suffix(".json")
        samples = [{"prompt": f"sound {number}"} for number in range(outputs)]
        content = {
            "generation": {"steps": 2, "seed": 7, **generation},
            "conditioning_defaults": {"seconds_start": 0, "seconds_total": 0.3},
            "input": {"type": "config", "samples": samples},
            "output": {"output_dir": str(out), "file_naming": "prompt"},
        }
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def start(self, config: Path, *options: str, before: Callable[[], None] | None = None) -> int:
        """Starts the command in a fork, and returns its process id."""
        sys.stdout.flush()
        sys.stderr.flush()
        if pid := os.fork():
            return pid
        code = 70
        try:
            with (
                config.with_suffix(".log").open("a", encoding="utf-8") as log,
                redirect_stdout(log),
                redirect_stderr(log),
            ):
                faulthandler.enable(log)
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.default_int_handler)
                self._prepare(config)
                if before is not None:
                    before()
                try:
                    code = self._command(config, options)
                except BaseException:
                    traceback.print_exc(file=log)
        finally:
            os._exit(code)

    def _prepare(self, config: Path) -> None:
        """Counts the samples that are made, and spoils the writing where that is asked for."""
        make_audio = audiogen_core.making.make_audio

        def counted(model: Any, batch: Batch, observer: Any) -> Any:
            def count(ending: str) -> None:
                with config.with_suffix(ending).open("a") as file:
                    file.write("x" * len(batch.wanted))

            count(".begun")
            audio = make_audio(model, batch, observer)
            count(".made")
            return audio

        audiogen_core.making.make_audio = counted
        if self._naive:
            Draft.place = _place_naively  # type: ignore[method-assign]
            Standing.state = _state_naively  # type: ignore[method-assign]

    def _command(self, config: Path, options: Sequence[str]) -> int:
        model = self._model
        sys.argv = [
            "audiogen", "generate", "--generation-config", str(config), "--device", "cpu",
            "--model-config", str(model / "model_config.json"),
            "--ckpt-path", str(model / "model.safetensors"), *options,
        ]  # fmt: skip
        try:
            command()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1
        return 0

    def run(self, config: Path, *options: str, before: Callable[[], None] | None = None) -> int:
        """Runs the command to its end, and returns its exit code."""
        return ended(self.start(config, *options, before=before), config)


def ended(pid: int, config: Path | None = None) -> int:
    """Waits for a process; its exit code, or less than zero for the signal that ended it.

    One that hangs is made to say in its log what each of its threads does, which is raised.

    Args:
        pid: The process.
        config: What it was started with.
    """
    end = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGABRT)
    os.waitpid(pid, 0)
    said = "" if config is None else config.with_suffix(".log").read_text(encoding="utf-8")
    raise AssertionError(f"the process has not ended for {SECONDS_TO_END:.0f} s:\n{said}")


def wait_for_samples(pid: int, config: Path, count: int) -> None:
    """Waits until a run has begun so many samples; it must not end before."""
    begun = config.with_suffix(".begun")
    while count and not (begun.exists() and begun.stat().st_size >= count):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            said = config.with_suffix(".log").read_text(encoding="utf-8")
            raise AssertionError(f"the run has ended before:\n{said}")
        time.sleep(0.001)


def _place_naively(self: Draft, path: Path) -> None:
    """Half a file stands under its name for a while, as with any file that is large enough."""
    content = self.path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    time.sleep(0.1)
    path.write_bytes(content)


def _state_naively(self: Standing, job: Any) -> State:
    exists = (self._folder.path / f"{job.stem}.wav").exists()
    return State.DONE if exists else State.FREE


def contents(folder: Path) -> dict[str, bytes]:
    """The files of an output folder, but for what runs keep for themselves."""
    try:
        paths = list(folder.iterdir())
    except FileNotFoundError:
        return {}
    found = {}
    for path in paths:
        if path.name != HIDDEN:
            try:
                # Folders that a check makes for a moment can be left, too.
                found[path.name] = b"" if path.is_dir() else path.read_bytes()
            except FileNotFoundError:
                continue
    return found


def is_temporary(name: str) -> bool:
    """Whether a name is that of a file that is being written."""
    return name.startswith(".audiogen-")


def kill_runs(kills: int, folder: Path, *, seed: int, naive: bool = False) -> Report:
    """Kills runs until so many were killed, and brings each round to its end.

    Args:
        kills: How many.
        folder: An empty folder for everything.
        seed: Decides the moments.
        naive: Whether the runs write as one should not.
    """
    rng = np.random.default_rng(seed)
    workshop = Workshop(folder, naive=naive)
    config = workshop.config(folder / "undisturbed")
    workshop.run(config, f"--max-batch={BATCH}")
    started = time.monotonic()
    whole = folder / "again"
    if workshop.run(workshop.config(whole), f"--max-batch={BATCH}") != 0:
        raise RuntimeError(whole.with_suffix(".log").read_text())
    length = time.monotonic() - started
    wanted = contents(folder / "undisturbed")
    report = Report()
    number = 0
    # A writer that is found out needs no more of them.
    while report.kills < kills and not (naive and report.partial):
        number += 1
        out = folder / f"round{number}"
        kills_before = report.kills
        config = workshop.config(out)
        while True:
            pid = workshop.start(config, f"--max-batch={BATCH}")
            time.sleep(rng.uniform(0, length))
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                report.kills += 1
                _look(contents(out), wanted, report)
            else:
                break
        if workshop.run(config, f"--max-batch={BATCH}") != 0:
            raise RuntimeError(config.with_suffix(".log").read_text())
        report.resumed += 1
        found = contents(out)
        report.different += [name for name in wanted if found.get(name) != wanted[name]]
        report.left_over += [name for name in found if name not in wanted]
        made = len(config.with_suffix(".made").read_text())
        rounds = max(1, report.kills - kills_before)
        report.redone = max(report.redone, (made - OUTPUTS) / rounds)
    return report


def _look(found: dict[str, bytes], wanted: dict[str, bytes], report: Report) -> None:
    """What stands after a kill: every file under a final name is whole."""
    names = [name for name in found if not is_temporary(name)]
    report.partial += [name for name in names if found[name] != wanted.get(name)]
    standing = sum(name.endswith(".wav") for name in names)
    report.moments[standing] = report.moments.get(standing, 0) + 1


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--naive", action="store_true", help="write as one should not")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        report = kill_runs(
            arguments.kills, Path(folder), seed=arguments.seed, naive=arguments.naive
        )
        seconds = round(time.monotonic() - started)
    sys.stdout.write(json.dumps({**vars(report), "seconds": seconds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
