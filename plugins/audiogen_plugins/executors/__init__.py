"""Built-in executors."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.executor import Executor


@hookimpl
def audiogen_executors(register: Registrar[Executor]) -> None:
    """Registers the built-in executors."""
    register("local", "audiogen_core.executing.local:Local")
    register("processes", "audiogen_plugins.executors.processes:Processes")
    register("ray", "audiogen_plugins.executors.ray:Ray")
