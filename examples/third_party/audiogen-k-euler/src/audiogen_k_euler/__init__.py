"""The sampler ``k-euler`` for audiogen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar

if TYPE_CHECKING:
    from audiogen_core.interfaces.sampler import Sampler

AUDIOGEN_INTERFACE = 1
"""The version of audiogen's interfaces that this package was made for."""


@hookimpl
def audiogen_samplers(register: Registrar[Sampler]) -> None:
    """Registers the sampler; the reference is imported when a config first names it."""
    register("k-euler", "audiogen_k_euler.sampler:KEuler")
