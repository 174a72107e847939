"""Kills workers at random moments of one run, and counts what that cost.

``python -m tests.worker_kills --kills 10`` prints a report as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from audiogen_core.config import parse_config
from audiogen_core.interfaces.executor import Executor
from audiogen_core.interfaces.observer import Observer
from audiogen_core.jobs import Job
from audiogen_core.models.source import LocalSource
from audiogen_core.outcome import Outcome
from audiogen_core.pipeline import run
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Request
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from audiogen_plugins.executors.processes import Processes
from tests.crashes import contents

BATCH = 2
CHANCE = 0.25
"""That a worker is killed after a batch has begun."""

MOST_SECONDS = 0.5
"""How long after that, at most."""


class Killer(Observer):
    """Counts the batches that are begun, and kills a worker at random now and then.

    Args:
        kills: How often.
    """

    NAME = "killer"

    def __init__(self, kills: int) -> None:
        super().__init__()
        self.left = kills
        self.begun = 0
        self._random = random.Random(0)  # noqa: S311

    def batch_started(self, jobs: Sequence[Job]) -> None:
        """One more."""
        del jobs
        self.begun += 1
        if self.left and self._random.random() < CHANCE:
            self.left -= 1
            threading.Timer(self._random.uniform(0, MOST_SECONDS), self._kill).start()

    def _kill(self) -> None:
        workers = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        if workers:
            with suppress(ProcessLookupError):
                os.kill(int(self._random.choice(workers)), signal.SIGKILL)


def made(
    folder: Path, model: Path, outputs: int, executor: Executor | None, killer: Killer
) -> Outcome:
    """What came of a run."""
    samples = [{"prompt": f"sound {number}"} for number in range(outputs)]
    sections: dict[str, Any] = {
        "generation": {"steps": 20, "seed": 1},
        "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1},
        "input": {"type": "config", "samples": samples},
        "output": {"output_dir": str(folder), "file_naming": "prompt"},
    }
    plugins = installed_plugins()
    source = LocalSource(model / "model_config.json", model / "model.safetensors")
    config = parse_config(sections, plugins)
    request = Request(config, source, torch.device("cpu"), max_batch=BATCH)
    return run(request, plugins, [killer], executor=executor)


def main() -> None:
    """Makes outputs while workers are killed, and once more in peace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--outputs", type=int, default=120)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = tiny_config()
        config["sample_size"] = 16384
        model = write_tiny_model(folder / "model", config)
        killer = Killer(arguments.kills)
        executor = Processes(Processes.Options(workers=2))
        outcome = made(folder / "killed", model, arguments.outputs, executor, killer)
        made(folder / "alone", model, arguments.outputs, None, Killer(0))
        report = {
            "kills": arguments.kills - killer.left,
            "written": len(outcome.written),
            "twice": len(outcome.written) - len(set(outcome.written)),
            "failures": [cause for _, cause in outcome.failures],
            "stopped": outcome.stopped,
            "batches": -(-arguments.outputs // BATCH),
            "begun": killer.begun,
            "same": contents(folder / "killed") == contents(folder / "alone"),
        }
    sys.stdout.write(f"{json.dumps(report)}\n")


if __name__ == "__main__":
    main()
