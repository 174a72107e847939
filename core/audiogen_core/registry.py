"""Registries: one for each kind of plugin, from a name to a class that is imported on first use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from audiogen_core.errors import UsageError, did_you_mean, listed

T = TypeVar("T")


class PluginError(UsageError):
    """A plugin cannot be registered or loaded; the message names its distribution."""


@dataclass(frozen=True)
class Kind:
    """A kind of plugin.

    Attributes:
        name: What users call it: ``sampler``.
        hook: The hook that registers it.
        interface: The abstract class, as ``"module:Class"`` (importing it may import torch).
        key: Where a config names one, for messages.
    """

    name: str
    hook: str
    interface: str
    key: str


_INTERFACES = "audiogen_core.interfaces"
SAMPLER = Kind(
    "sampler", "audiogen_samplers", f"{_INTERFACES}.sampler:Sampler", "generation.sampler_type"
)
INPUT = Kind(
    "input source", "audiogen_inputs", f"{_INTERFACES}.input_source:InputSource", "input.type"
)
NAMING = Kind(
    "naming strategy",
    "audiogen_naming",
    f"{_INTERFACES}.naming:NamingStrategy",
    "output.file_naming",
)
ENCODER = Kind(
    "encoder", "audiogen_encoders", f"{_INTERFACES}.encoder:Encoder", "output.file_format"
)
POST_PROCESSOR = Kind(
    "post-processor",
    "audiogen_post_processors",
    f"{_INTERFACES}.post_processor:PostProcessor",
    "output.post_processing[]",
)
OBSERVER = Kind(
    "observer", "audiogen_observers", f"{_INTERFACES}.observer:Observer", "output.observers[]"
)
CONDITIONER = Kind(
    "conditioner",
    "audiogen_conditioners",
    f"{_INTERFACES}.conditioner:Conditioner",
    "model.conditioning.configs[].type",
)
BACKBONE = Kind(
    "backbone", "audiogen_backbones", f"{_INTERFACES}.backbone:Backbone", "model.diffusion.type"
)
AUTOENCODER = Kind(
    "autoencoder",
    "audiogen_autoencoders",
    f"{_INTERFACES}.autoencoder:Autoencoder",
    "model.pretransform.config.decoder.type",
)
BOTTLENECK = Kind(
    "bottleneck",
    "audiogen_bottlenecks",
    f"{_INTERFACES}.bottleneck:Bottleneck",
    "model.pretransform.config.bottleneck.type",
)
KINDS = (
    SAMPLER,
    CONDITIONER,
    INPUT,
    NAMING,
    ENCODER,
    POST_PROCESSOR,
    OBSERVER,
    BACKBONE,
    AUTOENCODER,
    BOTTLENECK,
)


@dataclass(frozen=True)
class Origin:
    """The distribution that a plugin comes from."""

    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True)
class Registration(Generic[T]):
    """A registered plugin: its name, its class or where to find it, and who registered it."""

    name: str
    target: type[T] | str
    origin: Origin


class Registry(Generic[T]):
    """The plugins of one kind, by name, in the order of their registration."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._registrations: dict[str, Registration[T]] = {}
        self._loaded: dict[str, type[T]] = {}

    def __iter__(self) -> Iterator[Registration[T]]:
        return iter(self._registrations.values())

    def __contains__(self, name: object) -> bool:
        return name in self._registrations

    def names(self) -> list[str]:
        """The registered names."""
        return list(self._registrations)

    def add(self, name: str, target: type[T] | str, origin: Origin) -> None:
        """Registers a plugin.

        Raises:
            PluginError: The name is taken, or the target is neither a class nor a reference.
        """
        if taken := self._registrations.get(name):
            raise PluginError(
                f"{self.kind.name} '{name}' of {origin} is registered already by {taken.origin}"
            )
        if not isinstance(target, type) and (not isinstance(target, str) or ":" not in target):
            raise PluginError(
                f"{self.kind.name} '{name}' of {origin} must be a class or 'module:Class', "
                f"not {target!r}"
            )
        self._registrations[name] = Registration(name, target, origin)

    def unknown(self, name: str) -> str:
        """The message for a name that nobody registered."""
        hint = did_you_mean(name, self._registrations)
        return f"{name!r} is not a known {self.kind.name}{hint}; known: {listed(self.names())}"

    def origin(self, name: str) -> Origin:
        """The distribution that registered a name."""
        return self._registrations[name].origin

    def load(self, name: str) -> type[T]:
        """The class of a registered name, imported when it is first asked for.

        Raises:
            KeyError: The name is not registered; `unknown` has the words for that.
            PluginError: The plugin cannot be imported or is not what it was registered as.
        """
        if name not in self._loaded:
            self._loaded[name] = self._import(self._registrations[name])
        return self._loaded[name]

    def _import(self, registration: Registration[T]) -> type[T]:
        label = f"{self.kind.name} '{registration.name}' of {registration.origin}"
        try:
            plugin: Any = (
                import_reference(registration.target)
                if isinstance(registration.target, str)
                else registration.target
            )
        except Exception as error:
            raise PluginError(f"{label} cannot be imported: {describe(error)}") from error
        interface = import_reference(self.kind.interface)
        if not (isinstance(plugin, type) and issubclass(plugin, interface)):
            raise PluginError(f"{label} is not a subclass of {self.kind.interface}")
        if getattr(plugin, "NAME", None) != registration.name:
            found = getattr(plugin, "NAME", None)
            raise PluginError(f"{label} calls itself {found!r} in its NAME")
        return plugin


def import_reference(reference: str) -> Any:
    """Imports what ``"package.module:name"`` names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def describe(error: BaseException) -> str:
    """An exception in one line: ``ImportError: no module named 'x'``."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
