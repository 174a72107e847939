"""Built-in autoencoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen_core import hookimpl

if TYPE_CHECKING:
    from audiogen_core.hooks import Registrar
    from audiogen_core.interfaces.autoencoder import Autoencoder


@hookimpl
def audiogen_autoencoders(register: Registrar[Autoencoder]) -> None:
    """Registers Oobleck."""
    register("oobleck", "audiogen_plugins.autoencoders.oobleck:Oobleck")
