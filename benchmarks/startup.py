"""How long the light commands take, and what they import: ``python benchmarks/startup.py``.

Each command runs in fresh processes. The wall time and the processor time of the fastest are
printed, for other work on the machine only ever slows them down, with the limit that is aimed at;
then the modules whose own code takes longest to import.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

LIMITS = {("--help",): 0.3, ("--version",): 0.3, ("plugins", "list"): 0.5}
"""The seconds that each command may take on an idle machine."""

COMMAND = (sys.executable, "-m", "audiogen_cli")


@dataclass(frozen=True)
class Timing:
    """The fastest run of a command, in seconds."""

    wall: float
    processor: float


def timed(arguments: tuple[str, ...], runs: int) -> Timing:
    """Runs a command again and again."""
    walls, processors = [], []
    for _ in range(runs):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        processors.append(spent)
    return Timing(min(walls), min(processors))


def heaviest(arguments: tuple[str, ...], count: int) -> list[tuple[float, str]]:
    """The modules with the longest imports, what they import themselves not counted, in ms."""
    command = [sys.executable, "-X", "importtime", *COMMAND[1:], *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = []
    for line in done.stderr.splitlines():
        _, _, rest = line.partition("import time:")
        own, _, name = rest.partition("|")
        if own.strip().isdigit():
            found.append((int(own) / 1000, name.partition("|")[2].strip()))
    return sorted(found, reverse=True)[:count]


def main() -> None:
    """Prints a table for each command; exits with 1 where processor time is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=10, help="processes for each command")
    parser.add_argument("--modules", type=int, default=8, help="how many modules to print")
    options = parser.parse_args()
    slow = False
    for arguments, limit in LIMITS.items():
        timing = timed(arguments, options.runs)
        slow |= timing.processor > limit
        print(
            f"audiogen {' '.join(arguments)}: {timing.wall:.2f} s, "
            f"{timing.processor:.2f} s of processor time, limit {limit} s"
        )
        for milliseconds, name in heaviest(arguments, options.modules):
            print(f"  {milliseconds:6.1f} ms  {name}")
    sys.exit(slow)


if __name__ == "__main__":
    main()
