"""Measures what the executors cost beside plain processes with a `--shard` each.

``python benchmarks/executors.py --outputs 200 --workers 2 --rounds 3`` makes the same outputs with
the default model in several ways that take turns, one thread a process: by one process alone, by
one command with workers, for each executor that is installed, and by as many commands as workers,
each with its part. It prints for each, as medians, how long the first file took, how many outputs a
second came from then on, and what an output costs a worker beyond what it costs a shard; and
whether all files are the same.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

BATCH = 4


@dataclass(frozen=True)
class Measured:
    """What came of a way to make the outputs.

    Attributes:
        start_up: Seconds until the first file.
        rate: Outputs a second from then on.
        files: The audio files by name.
    """

    start_up: float
    rate: float
    files: dict[str, bytes]


def measured(config: Path, out: Path, commands: list[list[str]]) -> Measured:
    """Runs commands at once that fill a folder together."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = time.time()
    processes = [
        subprocess.Popen(
            [
                sys.executable, "-m", "audiogen_cli", "generate", "--generation-config", config,
                "--out", out, "--max-batch", str(BATCH), "--device", "cpu", "--quiet", *more,
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        for more in commands
    ]  # fmt: skip
    if any(process.wait() for process in processes):
        raise SystemExit("a command has failed")
    paths = sorted(out.glob("*.wav"), key=lambda path: path.stat().st_mtime)
    times = [path.stat().st_mtime for path in paths]
    rate = (len(times) - 1) / (times[-1] - times[0])
    return Measured(times[0] - started, rate, {path.name: path.read_bytes() for path in paths})


def ways(workers: int) -> dict[str, list[list[str]]]:
    """The arguments of the commands that each way runs at once."""
    count = f"workers={workers}"
    # Shards are batched on their own, so that they are compared by speed and not by bits.
    shards = [["--shard", f"{number + 1}/{workers}"] for number in range(workers)]
    found: dict[str, list[list[str]]] = {
        "local": [[]],
        "shards": shards,
        "processes": [["--executor", "processes", "--executor-option", count]],
    }
    if importlib.util.find_spec("ray") is not None:
        found["ray"] = [["--executor", "ray", "--executor-option", count]]
    return found


def main() -> None:
    """Measures all ways and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    samples = [{"prompt": f"kick drum {number}"} for number in range(arguments.outputs)]
    sections = {
        "generation": {"steps": arguments.steps, "seed": 1},
        "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1},
        "input": {"type": "config", "samples": samples},
        "output": {"file_naming": "prompt"},
    }
    rounds: list[dict[str, Measured]] = []
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as name:
            config = Path(name) / "config.json"
            config.write_text(json.dumps(sections), encoding="utf-8")
            rounds.append(
                {
                    way: measured(config, Path(name) / way, commands)
                    for way, commands in ways(arguments.workers).items()
                }
            )
        report(rounds, arguments.workers)
    expected = rounds[0]["local"].files
    same = all(
        found.files == expected for one in rounds for way, found in one.items() if way != "shards"
    )
    print(f"files as of one process: {'the same' if same else 'DIFFERENT'}")
    raise SystemExit(not same)


def report(rounds: list[dict[str, Measured]], workers: int) -> None:
    """Prints what the rounds say so far."""
    print(f"after {len(rounds)} rounds:")
    for way in rounds[0]:
        first = median(one[way].start_up for one in rounds)
        rate = median(one[way].rate for one in rounds)
        line = f"{way:10} first file {first:5.1f} s, then {rate:6.2f} outputs a second"
        if way not in {"local", "shards"}:
            shares = sorted(one[way].rate / one["shards"].rate for one in rounds)
            cost = median(workers / one[way].rate - workers / one["shards"].rate for one in rounds)
            line += (
                f", {median(shares):.2f} of the shards' ({shares[0]:.2f}-{shares[-1]:.2f}),"
                f" {1000 * cost:+.0f} ms an output"
            )
        print(line, flush=True)


if __name__ == "__main__":
    main()
