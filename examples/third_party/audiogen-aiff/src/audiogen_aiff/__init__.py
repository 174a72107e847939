"""The encoder ``aiff`` for audiogen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar

if TYPE_CHECKING:
    from audiogen_core.interfaces.encoder import Encoder

AUDIOGEN_INTERFACE = 1
"""The version of audiogen's interfaces that this package was made for."""


@hookimpl
def audiogen_encoders(register: Registrar[Encoder]) -> None:
    """Registers the encoder; the reference is imported when a config first names it."""
    register("aiff", "audiogen_aiff.encoder:Aiff")
