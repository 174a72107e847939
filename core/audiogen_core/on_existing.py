"""What happens to outputs whose names are taken."""

from __future__ import annotations

from enum import StrEnum


class OnExisting(StrEnum):
    """What happens to an output whose name is taken by something else."""

    SKIP = "skip"
    """It is an error; what was made from the same is there already, and is left as it is."""
    ERROR = "error"
    """It is an error, also where the same was made."""
    OVERWRITE = "overwrite"
    """What stands there is replaced."""
    RENAME = "rename"
    """The output gets another name."""
