"""Plans long lists of prompts as a user would, and prints time and peak memory.

    python benchmarks/plan_large.py 10000 100000 1000000

Every list is a JSONL file of different prompts in three lengths; nothing is made.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEGABYTE = 1 << 20
KILOBYTE = 1 << 10


def write_prompts(path: Path, count: int) -> None:
    """Writes a list of different prompts."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            sample = {"prompt": f"kick drum number {number}", "seconds_total": 1 + number % 3}
            file.write(json.dumps(sample) + "\n")


def planned(folder: Path, count: int) -> tuple[float, float, float]:
    """Seconds on the clock and of computing, and peak memory in MB, of one plan."""
    write_prompts(folder / "prompts.jsonl", count)
    source = {"type": "jsonl", "samples_file": str(folder / "prompts.jsonl")}
    config = folder / "config.json"
    config.write_text(json.dumps({"input": source}), encoding="utf-8")
    start = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "audiogen_cli", "plan", "--generation-config", str(config)),
            *("--out", str(folder / "out"), "--quiet"),
        ],
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"audiogen plan ended with {process.returncode}")
    unit = KILOBYTE if sys.platform != "darwin" else 1
    return (
        time.perf_counter() - start,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * unit / MEGABYTE,
    )


def main() -> None:
    """Plans lists of each length that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000, 100_000])
    print(f"{'outputs':>10} {'clock s':>9} {'CPU s':>9} {'peak MB':>9}")
    for count in parser.parse_args().counts:
        with tempfile.TemporaryDirectory() as folder:
            clock, computing, memory = planned(Path(folder), count)
        print(f"{count:>10,} {clock:>9.1f} {computing:>9.1f} {memory:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
