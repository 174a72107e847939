"""Built-in bottlenecks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen_core import hookimpl

if TYPE_CHECKING:
    from audiogen_core.hooks import Registrar
    from audiogen_core.interfaces.bottleneck import Bottleneck


@hookimpl
def audiogen_bottlenecks(register: Registrar[Bottleneck]) -> None:
    """Registers the bottlenecks of continuous latents."""
    register("vae", "audiogen_plugins.bottlenecks.vae:VAEBottleneck")
    register("tanh", "audiogen_plugins.bottlenecks.tanh:TanhBottleneck")
