"""Plugins of a third party: a sampler and an output format."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.encoder import Encoder
from audiogen_core.interfaces.sampler import Sampler


@hookimpl
def audiogen_samplers(register: Registrar[Sampler]) -> None:
    """Registers the sampler; the reference is imported when a config first names it."""
    register("k-euler", "audiogen_example.euler:Euler")


@hookimpl
def audiogen_encoders(register: Registrar[Encoder]) -> None:
    """Registers the output format."""
    register("aiff", "audiogen_example.aiff:Aiff")
