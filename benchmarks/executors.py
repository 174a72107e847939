"""Measures what `--executor processes` costs beside plain processes with a `--shard` each.

``python benchmarks/executors.py --outputs 200 --workers 2`` makes the same outputs with the default
model in three ways, one thread a process: by one process alone, by one command with workers, and by
as many commands as workers, each with its part. It prints for each how long the first file took and
how many outputs a second came from then on, and whether all files are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

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


def main() -> None:
    """Measures the three ways and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    count = arguments.workers
    samples = [{"prompt": f"kick drum {number}"} for number in range(arguments.outputs)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "config.json"
        sections = {
            "generation": {"steps": arguments.steps, "seed": 1},
            "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1},
            "input": {"type": "config", "samples": samples},
            "output": {"file_naming": "prompt"},
        }
        config.write_text(json.dumps(sections), encoding="utf-8")
        executor = ["--executor", "processes", "--executor-option", f"workers={count}"]
        # Shards are batched on their own, so that they are compared by speed and not by bits.
        ways: dict[str, list[list[str]]] = {
            "one process": [[]],
            "processes": [executor],
            "shards": [["--shard", f"{number + 1}/{count}"] for number in range(count)],
        }
        found = {
            way: measured(config, folder / way.replace(" ", "-"), commands)
            for way, commands in ways.items()
        }
    for way, one in found.items():
        print(f"{way:12} first file {one.start_up:6.1f} s, then {one.rate:6.2f} outputs a second")
    same = found["processes"].files == found["one process"].files
    print(f"files as of one process: {'the same' if same else 'DIFFERENT'}")
    print(f"efficiency against shards: {found['processes'].rate / found['shards'].rate:.2f}")
    raise SystemExit(not same)


if __name__ == "__main__":
    main()
