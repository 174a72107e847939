"""The model that ships with the package: small, and trained by the scripts in ``training/``.

What it can do, what it was trained on and how well it follows a prompt stands in
``docs/default-model.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogen_core.models.source import CONFIG_NAME, LocalSource, ModelSource

if TYPE_CHECKING:
    from audiogen_core.config import GenerationSection

NAME = "audiogen-synth-9"
FOLDER = Path(__file__).parent

SUGGESTED: Mapping[str, Any] = {
    "generation": {"steps": 25, "cfg_scale": 3.0, "cfg_interval": [0.5, 1]},
    "conditioning_defaults": {"prompt": "", "seconds_start": 0, "seconds_total": 2},
}
"""The config that its card recommends: what holds where a user gives prompts and nothing else."""

TOO_GUIDED = 6.0
"""The scale of guidance at all times from which on a fifth of its sounds becomes something else."""


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

    def advice(self, generation: GenerationSection) -> str | None:
        """What would suit it better: configs that leave the scale out have one for large models."""
        if generation.cfg_scale < TOO_GUIDED or generation.cfg_interval[0] > 0:
            return None
        best = SUGGESTED["generation"]
        return (
            f"{NAME} follows prompts best with cfg_scale {best['cfg_scale']:g} and cfg_interval "
            f"{best['cfg_interval']}; generation.cfg_scale is {generation.cfg_scale:g}"
        )


def suggested(source: ModelSource) -> Mapping[str, Any]:
    """What prompts alone are put into: what the default model's card recommends, or nothing."""
    return SUGGESTED if isinstance(source, DefaultSource) else {}
