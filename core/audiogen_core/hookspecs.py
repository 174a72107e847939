"""The hooks of audiogen: one for each kind of plugin.

Every hook is called once, when the plugins are loaded, with a ``register`` function that takes
a name and a class (or a lazy ``"module:Class"`` reference to one). A hook returns nothing. What
it raises disables that plugin with a warning; the others go on. Hooks are only ever added, and
`audiogen_core.INTERFACE_VERSION` goes up with each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen_core.hooks import Registrar, hookspec

if TYPE_CHECKING:
    from audiogen_core.interfaces.autoencoder import Autoencoder
    from audiogen_core.interfaces.backbone import Backbone
    from audiogen_core.interfaces.bottleneck import Bottleneck
    from audiogen_core.interfaces.conditioner import Conditioner
    from audiogen_core.interfaces.embedder import Embedder
    from audiogen_core.interfaces.encoder import Encoder
    from audiogen_core.interfaces.input_source import InputSource
    from audiogen_core.interfaces.naming import NamingStrategy
    from audiogen_core.interfaces.observer import Observer
    from audiogen_core.interfaces.post_processor import PostProcessor
    from audiogen_core.interfaces.sampler import Sampler


@hookspec
def audiogen_samplers(register: Registrar[Sampler]) -> None:
    """Registers samplers, by the name that ``generation.sampler_type`` gives."""


@hookspec
def audiogen_inputs(register: Registrar[InputSource]) -> None:
    """Registers input sources, by the name that ``input.type`` gives."""


@hookspec
def audiogen_naming(register: Registrar[NamingStrategy]) -> None:
    """Registers naming strategies, by the name that ``output.file_naming`` gives."""


@hookspec
def audiogen_encoders(register: Registrar[Encoder]) -> None:
    """Registers audio file encoders, by the name that ``output.file_format`` gives."""


@hookspec
def audiogen_post_processors(register: Registrar[PostProcessor]) -> None:
    """Registers post-processors, by the names that ``output.post_processing`` lists."""


@hookspec
def audiogen_observers(register: Registrar[Observer]) -> None:
    """Registers observers, by the names that ``output.observers`` lists."""


@hookspec
def audiogen_conditioners(register: Registrar[Conditioner]) -> None:
    """Registers conditioners, by ``model.conditioning.configs[].type`` of a model config."""


@hookspec
def audiogen_backbones(register: Registrar[Backbone]) -> None:
    """Registers diffusion backbones, by ``model.diffusion.type`` of a model config."""


@hookspec
def audiogen_autoencoders(register: Registrar[Autoencoder]) -> None:
    """Registers autoencoders, by ``encoder.type`` and ``decoder.type`` of a pretransform."""


@hookspec
def audiogen_bottlenecks(register: Registrar[Bottleneck]) -> None:
    """Registers bottlenecks, by ``bottleneck.type`` of a pretransform."""


@hookspec
def audiogen_embedders(register: Registrar[Embedder]) -> None:
    """Registers embedders, by the name that ``audiogen embed --embedder`` gives."""
