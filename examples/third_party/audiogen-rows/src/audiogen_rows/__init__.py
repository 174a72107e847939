"""The input source ``rows`` for audiogen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar

if TYPE_CHECKING:
    from audiogen_core.interfaces.input_source import InputSource

AUDIOGEN_INTERFACE = 1
"""The version of audiogen's interfaces that this package was made for."""


@hookimpl
def audiogen_inputs(register: Registrar[InputSource]) -> None:
    """Registers the input source; the reference is imported when a config first names it."""
    register("rows", "audiogen_rows.input_source:Rows")
