"""Built-in input sources."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.input_source import InputSource


@hookimpl
def audiogen_inputs(register: Registrar[InputSource]) -> None:
    """Registers the input sources: the documented ones first."""
    register("config", "audiogen_plugins.inputs.inline:InlineSamples")
    register("file", "audiogen_plugins.inputs.prompts_file:PromptsFile")
    register("jsonl", "audiogen_plugins.inputs.json_lines:JsonLines")
    register("csv", "audiogen_plugins.inputs.table:Table")
    register("directory", "audiogen_plugins.inputs.directory:Directory")
    register("grid", "audiogen_plugins.inputs.grid:Grid")
