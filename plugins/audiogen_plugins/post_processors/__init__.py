"""Built-in post-processors."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.post_processor import PostProcessor


@hookimpl
def audiogen_post_processors(register: Registrar[PostProcessor]) -> None:
    """Registers the built-in post-processors."""
    register("trim", "audiogen_plugins.post_processors.trim:Trim")
    register("peak", "audiogen_plugins.post_processors.peak:Peak")
    register("loudness", "audiogen_plugins.post_processors.loudness:Loudness")
    register("fade", "audiogen_plugins.post_processors.fade:Fade")
    register("none", "audiogen_plugins.post_processors.none:Nothing")
