"""The model that ships with the package: small, and trained by the scripts in ``training/``.

What it can do, what it was trained on and how well it follows a prompt stands in
``docs/default-model.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audiogen_core.models.source import CONFIG_NAME, LocalSource

NAME = "audiogen-synth-2"
FOLDER = Path(__file__).parent


class DefaultSource(LocalSource):
    """The default model, in the ordinary format: what a run uses that names no other."""

    def __init__(self) -> None:
        super().__init__(FOLDER / CONFIG_NAME, FOLDER / "model.safetensors")

    def identity(self) -> dict[str, Any]:
        """Its name: wherever the package is installed, it is the same."""
        return {"default_model": NAME, "fingerprint": super().identity()["fingerprint"]}

    def note(self) -> str | None:
        """Which model it is: the user named none."""
        return f"no model named: using {NAME}, the small one that ships with audiogen"
