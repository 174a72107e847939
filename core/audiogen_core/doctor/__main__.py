"""One check, in the process that `audiogen_core.doctor.examine` gave it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from audiogen_core.registry import import_reference


def main(reference: str, report: Path) -> None:
    """Writes each finding as soon as it is made: what comes next may end the process.

    Args:
        reference: The check, as ``"module:function"``.
        report: Where its findings go, a JSON object a line.
    """
    with report.open("a", encoding="utf-8") as file:
        for finding in import_reference(reference)():
            file.write(json.dumps(finding.as_json()) + "\n")
            file.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
    # Threads that a plugin has left behind are not waited for.
    os._exit(0)
