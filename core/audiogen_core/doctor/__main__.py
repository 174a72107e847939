"""One check, in the process that `audiogen_core.doctor.examine` gave it."""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from audiogen_core.registry import import_reference


def main(reference: str, report: TextIO) -> None:
    """Writes each finding as soon as it is made: what comes next may end the process.

    Args:
        reference: The check, as ``"module:function"``.
        report: Where its findings go, a JSON object a line.
    """
    for finding in import_reference(reference)():
        report.write(json.dumps(finding.as_json()) + "\n")
        report.flush()


if __name__ == "__main__":
    # Standard output is for findings: what libraries and plugins print is no part of them.
    findings = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(sys.argv[1], findings)
    # Threads that a plugin has left behind are not waited for.
    os._exit(0)
