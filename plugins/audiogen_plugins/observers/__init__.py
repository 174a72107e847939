"""Built-in observers."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.observer import Observer


@hookimpl
def audiogen_observers(register: Registrar[Observer]) -> None:
    """Registers the built-in observers."""
    register("progress", "audiogen_plugins.observers.progress:Progress")
    register("metadata", "audiogen_plugins.observers.metadata:MetadataFiles")
    register("manifest", "audiogen_plugins.observers.manifest.observer:Manifest")
    register("report", "audiogen_plugins.observers.report.observer:Report")
