"""Built-in naming strategies."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.naming import NamingStrategy


@hookimpl
def audiogen_naming(register: Registrar[NamingStrategy]) -> None:
    """Registers the naming strategies: the documented ones first."""
    register("prompt", "audiogen_plugins.naming.prompt:ByPrompt")
    register("verbose", "audiogen_plugins.naming.verbose:Verbose")
    register("audio_prompt", "audiogen_plugins.naming.audio_prompt:ByAudioPrompt")
    register("template", "audiogen_plugins.naming.template:Template")
