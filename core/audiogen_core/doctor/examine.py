"""Runs the checks, each in a process of its own.

What a broken library does when it is imported, nobody knows: it may raise, end the process, crash
or hang. Whatever it is, it becomes a line of the report.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from audiogen_core import own_module
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
    """What a check wrote, a line each, and how its process ended if it went wrong."""
    report, cause = _run(reference, patience)
    # A line without an end was being written when the process ended.
    lines = [line for line in report.splitlines(keepends=True) if line.endswith(b"\n")]
    found = [_read(line) for line in lines]
    yield from found
    if cause is not None:
        after = f" after '{found[-1].name}'" if found else ""
        yield problem(name, f"this check could not be ended{after}: {cause}")


def _read(line: bytes) -> Finding:
    data = json.loads(line)
    return Finding(**{**data, "mark": Mark(data["mark"])})


def _run(reference: str, patience: float) -> tuple[bytes, str | None]:
    """Runs one check: what it wrote, and what went wrong; None where it came to its end."""
    try:
        done = subprocess.run(  # noqa: S603 (a list of arguments, no shell, no text of a user)
            own_module.command(_HERE, reference),
            env=own_module.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return error.stdout or b"", f"it did not finish within {patience:g} seconds"
    except OSError as error:
        return b"", f"it could not be started: {error.strerror}"
    return done.stdout, _cause(done.returncode, done.stderr.decode(errors="replace"))


def _cause(code: int, messages: str) -> str | None:
    """Why a process ended; None where it was done."""
    if code == 0:
        return None
    if code < 0:
        names = {one.value: one.name for one in signal.Signals}
        return f"it was ended by {names.get(-code, f'signal {-code}')}"
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    return lines[-1] if lines else f"it ended with exit code {code}"
