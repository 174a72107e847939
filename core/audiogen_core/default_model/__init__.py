"""The model that ships with the package: small, and trained by the scripts in ``training/``.

What it can do, what it was trained on and how well it follows a prompt stands in
``docs/default-model.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiogen_core.models.source import CONFIG_NAME, LocalSource, ModelSource

NAME = "audiogen-synth-7"
FOLDER = Path(__file__).parent

SUGGESTED: Mapping[str, Any] = {
    "generation": {"steps": 25, "cfg_scale": 2.0},
    "conditioning_defaults": {"prompt": "", "seconds_start": 0, "seconds_total": 2},
}
"""The config that its card recommends: what holds where a user gives prompts and nothing else."""


class DefaultSource(LocalSource):
    """The default model, in the ordinary format: what a run uses that names no other.

    Args:
        named: Whether it was asked for, and need not be told of.
    """

    def __init__(self, *, named: bool = False) -> None:
        self._named = named
        super().__init__(FOLDER / CONFIG_NAME, FOLDER / "model.safetensors")

    def identity(self) -> dict[str, Any]:
        """Its name: wherever the package is installed, it is the same."""
        return {"default_model": NAME, "fingerprint": super().identity()["fingerprint"]}

    def note(self) -> str | None:
        """Which model it is, where the user named none."""
        if self._named:
            return None
        return f"no model named: using {NAME}, which ships with audiogen"


def suggested(source: ModelSource) -> Mapping[str, Any]:
    """What prompts alone are put into: what the default model's card recommends, or nothing."""
    return SUGGESTED if isinstance(source, DefaultSource) else {}
