"""Runs the checks, each in a process of its own.

What a broken library does when it is imported, nobody knows: it may raise, end the process, crash
or hang. Whatever it is, it becomes a line of the report.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audiogen_core.doctor.findings import Finding, Mark, problem

_HERE = "audiogen_core.doctor"
CHECKS = {
    "software": f"{_HERE}.software:software",
    "hardware": f"{_HERE}.hardware:hardware",
    "storage": f"{_HERE}.storage:storage",
    "plugins": f"{_HERE}.plugin_health:plugin_health",
    "formats": f"{_HERE}.formats:formats",
    "hub": f"{_HERE}.hub:hub",
    "generating": f"{_HERE}.generation:generation",
}
"""The sections of the report, with the functions that make their findings."""

ONLINE = {"connection": f"{_HERE}.hub:hub_online"}
"""What asks the Hub."""

PATIENCE = 600.0
"""Seconds that a check gets: far more than any takes on a slow machine."""


@dataclass(frozen=True)
class Section:
    """What one check found."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether nothing that generating needs is broken."""
        return all(one.mark is not Mark.PROBLEM for one in self.findings)


def examine(*, online: bool = False, patience: float = PATIENCE) -> Iterator[Section]:
    """Runs every check, one after the other.

    Args:
        online: Whether the Hub may be asked.
        patience: Seconds that each check gets.
    """
    for name, reference in {**CHECKS, **(ONLINE if online else {})}.items():
        yield Section(name, tuple(_findings(name, reference, patience)))


def _findings(name: str, reference: str, patience: float) -> Iterator[Finding]:
    """What a check wrote into a file, a line each, and how its process ended if it went wrong."""
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        report = Path(folder, "findings.jsonl")
        report.touch()
        cause = _run(reference, report, patience)
        found = [_read(line) for line in report.read_text(encoding="utf-8").splitlines()]
    yield from found
    if cause is not None:
        after = f" after '{found[-1].name}'" if found else ""
        yield problem(name, f"this check could not be ended{after}: {cause}")


def _read(line: str) -> Finding:
    data = json.loads(line)
    return Finding(**{**data, "mark": Mark(data["mark"])})


def _run(reference: str, report: Path, patience: float) -> str | None:
    """Runs one check; None where it came to its end, otherwise what went wrong."""
    # -P: not from the working directory, where anything may be called like a library.
    command = [sys.executable, "-P", "-m", _HERE, reference, str(report)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    try:
        done = subprocess.run(  # noqa: S603 (a list of arguments, no shell, no text of a user)
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not finish within {patience:g} seconds"
    except OSError as error:
        return f"it could not be started: {error.strerror}"
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if done.returncode > 0:
        return last or f"it ended with exit code {done.returncode}"
    return f"it was ended by {signal.Signals(-done.returncode).name}"
