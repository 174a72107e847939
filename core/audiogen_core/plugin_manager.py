"""Loads plugins: every entry point on its own, so that a broken one never takes the tool down."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from audiogen_core import hookspecs
from audiogen_core.hooks import PROJECT, Registrar
from audiogen_core.registry import (
    AUTOENCODER,
    BACKBONE,
    BOTTLENECK,
    CONDITIONER,
    ENCODER,
    INPUT,
    KINDS,
    NAMING,
    OBSERVER,
    POST_PROCESSOR,
    SAMPLER,
    Kind,
    Origin,
    Registry,
    describe,
)

if TYPE_CHECKING:
    from audiogen_core.interfaces.autoencoder import Autoencoder
    from audiogen_core.interfaces.backbone import Backbone
    from audiogen_core.interfaces.bottleneck import Bottleneck
    from audiogen_core.interfaces.conditioner import Conditioner
    from audiogen_core.interfaces.encoder import Encoder
    from audiogen_core.interfaces.input_source import InputSource
    from audiogen_core.interfaces.naming import NamingStrategy
    from audiogen_core.interfaces.observer import Observer
    from audiogen_core.interfaces.post_processor import PostProcessor
    from audiogen_core.interfaces.sampler import Sampler


class PluginWarning(UserWarning):
    """A plugin could not be loaded; the others go on."""


@dataclass(frozen=True)
class Failure:
    """An entry point that could not be loaded, and why."""

    name: str
    origin: Origin
    cause: str


class PluginManager:
    """The plugins of this installation.

    Attributes:
        failures: The entry points that could not be loaded.
    """

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self._registries: dict[Kind, Registry[Any]] = {kind: Registry(kind) for kind in KINDS}
        self.failures: list[Failure] = []

    @property
    def samplers(self) -> Registry[Sampler]:
        """By ``generation.sampler_type``."""
        return self._registries[SAMPLER]

    @property
    def inputs(self) -> Registry[InputSource]:
        """By ``input.type``."""
        return self._registries[INPUT]

    @property
    def naming(self) -> Registry[NamingStrategy]:
        """By ``output.file_naming``."""
        return self._registries[NAMING]

    @property
    def encoders(self) -> Registry[Encoder]:
        """By ``output.file_format``."""
        return self._registries[ENCODER]

    @property
    def post_processors(self) -> Registry[PostProcessor]:
        """By name in ``output.post_processing``."""
        return self._registries[POST_PROCESSOR]

    @property
    def observers(self) -> Registry[Observer]:
        """By name in ``output.observers``."""
        return self._registries[OBSERVER]

    @property
    def conditioners(self) -> Registry[Conditioner]:
        """By ``type`` of a model's conditioner."""
        return self._registries[CONDITIONER]

    @property
    def backbones(self) -> Registry[Backbone]:
        """By ``type`` of a model's diffusion network."""
        return self._registries[BACKBONE]

    @property
    def autoencoders(self) -> Registry[Autoencoder]:
        """By ``type`` of a pretransform's encoder and decoder."""
        return self._registries[AUTOENCODER]

    @property
    def bottlenecks(self) -> Registry[Bottleneck]:
        """By ``type`` of a pretransform's bottleneck."""
        return self._registries[BOTTLENECK]

    def registries(self) -> list[Registry[Any]]:
        """All registries, in the order in which users meet their kinds."""
        return list(self._registries.values())

    def load_entry_points(self) -> None:
        """Loads every entry point of the group ``audiogen``; failures become `PluginWarning`."""
        found = entry_points(group=PROJECT)
        # The built-ins come first, so that the one who takes a name twice is always the guest.
        for entry_point in sorted(found, key=lambda one: _origin(one).distribution != PROJECT):
            origin = _origin(entry_point)
            try:
                self.register(entry_point.load(), entry_point.name, origin)
            # A plugin may fail in any way at import; none of them may stop the program.
            except Exception as error:
                self._failed(entry_point.name, origin, describe(error))

    def register(self, plugin: object, name: str, origin: Origin) -> None:
        """Registers the hook implementations of a module or object.

        Args:
            plugin: What carries functions decorated with `hookimpl`.
            name: The entry point's name.
            origin: Its distribution.

        Raises:
            pluggy.PluginValidationError: A hook is unknown or has the wrong arguments.
            PluginError: A name is taken already.
        """
        label = f"{origin.distribution}:{name}"
        self._pluggy.register(plugin, name=label)
        try:
            self._pluggy.check_pending()
            for kind, registry in self._registries.items():
                for implementation in getattr(self._pluggy.hook, kind.hook).get_hookimpls():
                    if implementation.plugin is plugin:
                        implementation.function(_registrar(registry, origin))
        except Exception:
            self._pluggy.unregister(plugin)
            raise

    def _failed(self, name: str, origin: Origin, cause: str) -> None:
        self.failures.append(Failure(name, origin, cause))
        warnings.warn(
            f"plugin '{name}' of {origin} could not be loaded: {cause}", PluginWarning, stacklevel=3
        )


def _registrar(registry: Registry[Any], origin: Origin) -> Registrar[Any]:
    def register(name: str, plugin: type[Any] | str) -> None:
        registry.add(name, plugin, origin)

    return register


def _origin(entry_point: EntryPoint) -> Origin:
    distribution = entry_point.dist
    if distribution is None:
        return Origin("unknown distribution", "")
    return Origin(distribution.name, distribution.version)


@cache
def installed_plugins() -> PluginManager:
    """The plugins of this installation, loaded once a process."""
    manager = PluginManager()
    manager.load_entry_points()
    return manager
