"""Built-in input sources."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.input_source import InputSource


@hookimpl
def audiogen_inputs(register: Registrar[InputSource]) -> None:
    """Registers the documented input sources."""
    register("config", "audiogen_plugins.inputs.inline:InlineSamples")
    register("file", "audiogen_plugins.inputs.prompts_file:PromptsFile")
