"""Built-in conditioners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen_core import hookimpl

if TYPE_CHECKING:
    from audiogen_core.hooks import Registrar
    from audiogen_core.interfaces.conditioner import Conditioner


@hookimpl
def audiogen_conditioners(register: Registrar[Conditioner]) -> None:
    """Registers the conditioners of text, embeddings, numbers and choices."""
    register("t5", "audiogen_plugins.conditioners.t5:T5Conditioner")
    register("lut", "audiogen_plugins.conditioners.lut:LookupConditioner")
    register(
        "pre_encoded_latent",
        "audiogen_plugins.conditioners.pre_encoded_latent:PreEncodedLatentConditioner",
    )
    register("number", "audiogen_plugins.conditioners.number:NumberConditioner")
    register("int", "audiogen_plugins.conditioners.int:IntConditioner")
    register("list", "audiogen_plugins.conditioners.list:ListConditioner")
