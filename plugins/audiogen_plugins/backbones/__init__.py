"""Built-in diffusion backbones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen_core import hookimpl

if TYPE_CHECKING:
    from audiogen_core.hooks import Registrar
    from audiogen_core.interfaces.backbone import Backbone


@hookimpl
def audiogen_backbones(register: Registrar[Backbone]) -> None:
    """Registers the diffusion transformer."""
    register("dit", "audiogen_plugins.backbones.dit:DiffusionTransformer")
