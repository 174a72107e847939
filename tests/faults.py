"""Ends workers, nodes and whole commands at random moments, and looks what came of it.

``python -m tests.faults --executor ray --faults 10`` prints reports as JSON: real commands, their
processes, and the model that ships. `tests.crashes` kills runs of one process, and far more often.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from audiogen_core.errors import EXIT_RUN_FAILED
from audiogen_core.failures import FailureLog
from audiogen_core.runfolder import HIDDEN
from audiogen_core.runfolder.journal import records_of
from tests.crashes import contents, is_temporary

OUTPUTS = 48
BATCH = 2
WORKERS = 2
PAUSE = 0.5
"""Seconds that each batch takes longer, so that some are being made when something is ended."""

MARK = "AUDIOGEN_TEST_MARK"
"""A variable that all processes of a command have."""

SPY = """
import json, os, signal, sys, time
from pathlib import Path

if any("audiogen_core.executing" in one or "default_worker" in one for one in sys.orig_argv):
    from audiogen_core import making

    make_audio = making.make_audio
    log = Path(os.environ["AUDIOGEN_TEST_LOG"])
    poison = json.loads(os.environ["AUDIOGEN_TEST_POISON"])

    def spied(model, batch, observer):
        prompts = [job.values["prompt"] for job in batch.jobs]
        with log.open("a") as file:
            file.write(f"{os.getpid()} {json.dumps(prompts)}\\n")
        tries = log.read_text()
        for prompt in prompts:
            if tries.count(json.dumps(prompt)) <= poison.get(prompt, 0):
                os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(float(os.environ["AUDIOGEN_TEST_PAUSE"]))
        return make_audio(model, batch, observer)

    making.make_audio = spied
"""


def spy(
    folder: Path, poison: Mapping[str, int] | None = None, pause: float = 0.0
) -> dict[str, str]:
    """Variables by which workers write down what they make, and end where they are told to.

    Args:
        folder: Where to put what they need, and their ``log``.
        poison: How often a prompt ends the worker that makes it.
        pause: How many seconds each batch takes longer.
    """
    (folder / "sitecustomize.py").write_text(SPY)
    return {
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
        "AUDIOGEN_TEST_LOG": str(folder / "log"),
        "AUDIOGEN_TEST_POISON": json.dumps(poison or {}),
        "AUDIOGEN_TEST_PAUSE": str(pause),
    }


def batches_begun(log: Path) -> list[tuple[int, tuple[str, ...]]]:
    """What workers that are spied upon have begun: the process, and the prompts of the batch."""
    if not log.exists():
        return []
    lines = [line.partition(" ") for line in log.read_text().splitlines()]
    return [(int(pid), tuple(json.loads(prompts))) for pid, _, prompts in lines]


def marked(mark: str) -> list[int]:
    """The processes that have this mark."""
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/environ")
        if f"{MARK}={mark}\0" in _read(path)
    ]


def raylets(mark: str) -> list[int]:
    """Those of them by which a node takes part in Ray."""
    return [pid for pid in marked(mark) if _read(Path(f"/proc/{pid}/comm")).strip() == "raylet"]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # it has ended


def wait_until(holds: Callable[[], bool], seconds: float = 300.0) -> None:
    """Waits, for minutes on a slow machine."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("it has not come to it")
        time.sleep(0.05)


@dataclass
class Report:
    """What came of faults of one kind.

    Attributes:
        faults: How many processes were ended.
        commands: How many were started.
        redone: How many batches were begun again.
        codes: How the commands ended.
        wrong: Outputs that are missing, or differ from those of an undisturbed run.
        twice: Outputs that were finished more than once.
        running: Processes that outlived their command.
        left_over: Files that an undisturbed run would not leave.
        seconds: How long it took.
    """

    faults: int = 0
    commands: int = 0
    redone: int = 0
    codes: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    seconds: int = 0


class Round:
    """A folder of outputs, and the commands that make them until all stand.

    Args:
        folder: An empty folder.
        executor: Who makes them.
        poison: How often a prompt ends the worker that makes it.
    """

    def __init__(
        self, folder: Path, executor: str, poison: Mapping[str, int] | None = None
    ) -> None:
        self.out = folder / "out"
        self.codes: Counter[int] = Counter()
        self._running: list[int] = []
        self._mark = str(folder)
        self.log = folder / "log"
        self._said = folder / "said"
        # Ray's sockets need short paths.
        self._temporary = Path(tempfile.mkdtemp(dir="/tmp"))
        samples = [{"prompt": f"sound {number}"} for number in range(OUTPUTS)]
        config = {
            "generation": {"steps": 2, "seed": 1},
            "conditioning_defaults": {"seconds_start": 0, "seconds_total": 0.5},
            "input": {"type": "config", "samples": samples},
            "output": {"output_dir": str(self.out), "file_naming": "prompt"},
        }
        (folder / "config.json").write_text(json.dumps(config))
        self._call = [
            sys.executable, "-m", "audiogen_cli", "generate", "--device", "cpu", "--quiet",
            "--generation-config", str(folder / "config.json"), f"--max-batch={BATCH}",
            "--executor", executor,
        ]  # fmt: skip
        if executor != "local":
            self._call += ["--executor-option", f"workers={WORKERS}"]
        self._environment = {
            **os.environ, **spy(folder, poison, PAUSE), MARK: self._mark,
            "OMP_NUM_THREADS": "1", "TMPDIR": str(self._temporary),
        }  # fmt: skip

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the command."""
        with self._said.open("ab") as said:
            return subprocess.Popen(self._call, stdout=said, stderr=said, env=self._environment)

    def ended(self, command: subprocess.Popen[bytes]) -> int:
        """Waits for the end of a command, and then for that of its other processes."""
        code = command.wait()
        self.codes[code] += 1
        with suppress(AssertionError):
            wait_until(lambda: not marked(self._mark))
        self._running += marked(self._mark)
        return code

    def written(self) -> int:
        """How many outputs stand."""
        return len(list(self.out.glob("*.wav")))

    def workers(self) -> list[int]:
        """The processes that have begun a batch, and live."""
        alive = set(marked(self._mark))
        return sorted({pid for pid, _ in batches_begun(self.log)} & alive)

    def nodes(self) -> list[int]:
        """The processes by which this machine takes part in Ray."""
        return raylets(self._mark)

    def said(self) -> str:
        """What the commands have said."""
        return self._said.read_text(errors="replace")

    def look(self, expected: Mapping[str, bytes], report: Report, but: frozenset[str]) -> None:
        """Adds what came of the round to a report.

        Args:
            expected: What an undisturbed run has made.
            report: What to add to.
            but: Outputs that need not be the same: they have lost their company.
        """
        found = contents(self.out)
        report.wrong += [
            name
            for name in expected
            if Path(name).stem not in but and found.get(name) != expected[name]
        ]
        report.twice += self._finished_twice()
        begun = [prompts for _, prompts in batches_begun(self.log)]
        report.redone += len(begun) - len(set(begun))
        report.left_over += [
            name
            for name in found
            if is_temporary(name) or name not in {*expected, "failures.jsonl"}
        ]
        report.left_over += [
            path.name
            for path in (self.out / HIDDEN).iterdir()
            if path.suffix not in {".journal", ".batch"} and path.name != "seeds"
        ]
        report.left_over += [str(path) for path in self._temporary.iterdir()]
        report.running += self._running
        report.commands += self.codes.total()
        report.codes = dict(Counter(report.codes) + self.codes)
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _finished_twice(self) -> list[str]:
        """Names that journals say were finished more than once."""
        done = {
            (record["done"], record["turn"])
            for journal in (self.out / HIDDEN).glob("*.journal")
            for record in records_of(journal.read_bytes())
            if "done" in record
        }
        return [name for name, times in Counter(name for name, _ in done).items() if times > 1]


Fault = Callable[[Round, random.Random, int], int]
"""Makes a round, and at most so many faults in it; returns how many there were."""


def _moments(
    one: Round, rng: random.Random, command: subprocess.Popen[bytes], most: int
) -> Iterator[None]:
    """Moments of a command, some outputs apart, until it ends by itself.

    A batch that is lost is made next. Were the moments closer, one might be lost thrice, and so
    be made in halves.
    """
    for _ in range(most):
        wanted = one.written() + rng.randrange(1, 3 * BATCH)
        while one.written() < wanted:
            if command.poll() is not None:
                return
            time.sleep(PAUSE / 10)
        time.sleep(rng.uniform(0, 2 * PAUSE))
        if command.poll() is None:
            yield


def kill_workers(one: Round, rng: random.Random, most: int) -> int:
    """Kills workers in the midst of their work; the command goes on."""
    command = one.start()
    faults = sum(_killed(one.workers(), rng) for _ in _moments(one, rng, command, most))
    one.ended(command)
    return faults


def kill_nodes(one: Round, rng: random.Random, most: int) -> int:
    """Kills the raylet, which ends a Ray on this machine; at worst the command starts again."""
    faults = 0
    while True:
        command = one.start()
        moments = _moments(one, rng, command, most - faults)
        faults += sum(_killed(one.nodes(), rng) for _ in moments)
        if one.ended(command) != EXIT_RUN_FAILED:
            return faults


def kill_commands(one: Round, rng: random.Random, most: int) -> int:
    """Kills the command, one in four times wherever it is, and starts it again."""
    for faults in range(most):
        command = one.start()
        if rng.random() < 0.25:
            time.sleep(rng.uniform(0, 20))
        else:
            next(_moments(one, rng, command, 1), None)
        command.kill()
        if one.ended(command) == 0:
            return faults
    one.ended(one.start())
    return most


def _killed(some: list[int], rng: random.Random) -> bool:
    """Kills one of some processes, and says whether it was still there."""
    try:
        os.kill(rng.choice(some), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return False
    return True


KINDS: dict[str, Fault] = {
    "workers": kill_workers,
    "commands": kill_commands,
    "nodes": kill_nodes,
}
POISON = "poison"


class Trial:
    """Faults of all kinds, and what an undisturbed run makes.

    Args:
        folder: An empty folder.
        executor: Who makes the outputs.
        seed: Decides the moments.
    """

    def __init__(self, folder: Path, executor: str, seed: int) -> None:
        self._folder = folder
        self._executor = executor
        self._rng = random.Random(seed)  # noqa: S311, no secret
        self._rounds = 0
        undisturbed = self._round("local")
        if undisturbed.ended(undisturbed.start()) != 0:
            raise RuntimeError(undisturbed.said())
        self._expected = contents(undisturbed.out)

    def _round(self, executor: str, poison: Mapping[str, int] | None = None) -> Round:
        folder = self._folder / f"round{self._rounds}"
        self._rounds += 1
        folder.mkdir()
        return Round(folder, executor, poison)

    def of(self, kind: str, faults: int) -> Report:
        """Makes at least so many faults of a kind, in as many rounds as that takes."""
        started = time.monotonic()
        report = self._poison(faults) if kind == POISON else self._kills(KINDS[kind], faults)
        report.seconds = round(time.monotonic() - started)
        return report

    def _kills(self, kill: Fault, faults: int) -> Report:
        report = Report()
        while report.faults < faults:
            one = self._round(self._executor)
            report.faults += kill(one, self._rng, faults - report.faults)
            one.look(self._expected, report, frozenset())
            if set(one.codes) - {0, EXIT_RUN_FAILED, -signal.SIGKILL}:
                raise RuntimeError(one.said())
        return report

    def _poison(self, faults: int) -> Report:
        """Lets outputs end each worker that makes them: all others are made, and they given up."""
        report = Report()
        # Thrice with its neighbour, and thrice alone.
        numbers = range(0, BATCH * -(-faults // 6), BATCH)
        one = self._round(self._executor, {f"sound {number}": 10**6 for number in numbers})
        one.ended(one.start())
        poisonous = {f"sound {number}" for number in numbers}
        if {record["name"] for record in FailureLog(one.out).records()} != poisonous:
            raise RuntimeError(one.said())
        begun = batches_begun(one.log)
        report.faults = sum(bool(poisonous & set(prompts)) for _, prompts in begun)
        without = frozenset(
            f"sound {number + place}" for number in numbers for place in range(BATCH)
        )
        one.look(self._expected, report, without)
        return report


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executor", choices=["processes", "ray"], default="processes")
    parser.add_argument("--faults", type=int, default=10, help="how many of each kind")
    parser.add_argument(
        "--kinds", nargs="+", choices=[*KINDS, POISON], default=["workers"], help="what ends"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), arguments.executor, arguments.seed)
        for kind in arguments.kinds:
            report = trial.of(kind, arguments.faults)
            sys.stdout.write(json.dumps({kind: vars(report)}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
