"""Built-in embedders."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.embedder import Embedder


@hookimpl
def audiogen_embedders(register: Registrar[Embedder]) -> None:
    """Registers the built-in embedders."""
    register("clap", "audiogen_plugins.embedders.clap:Clap")
