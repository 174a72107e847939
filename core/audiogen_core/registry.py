"""Registries: one for each kind of plugin, from a name to a class that is imported on first use."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, Literal, TypeVar

from audiogen_core.errors import (
    AudiogenError,
    InputError,
    Problem,
    UsageError,
    did_you_mean,
    listed,
)

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
        key: Where a config names one, for messages: ``output.file_format``, and with ``[]`` at the
            end where it names several.
        options: Where a config holds its options: ``beside`` its name, in an object with its
            name (``named``), or in an object ``config`` beside its name; ``arguments`` where no
            config names it, but the argument ``key`` of a command.
        setting: The argument that gives an option, where arguments do.
        check: The contract check of the kind, as ``"module:function"``; it takes the class.
        section: The model of the section that options stand in, where they are ``beside`` others.
    """

    name: str
    hook: str
    interface: str
    key: str
    options: Literal["named", "beside", "config", "arguments"] = "named"
    setting: str = "--set"
    check: str = ""
    section: str = ""

    @property
    def taken(self) -> frozenset[str]:
        """What options cannot be called, for it means something else where they stand."""
        if self.section:
            return frozenset(import_reference(self.section).model_fields)
        return frozenset({"name"} if self.options == "named" else ())

    @property
    def slug(self) -> str:
        """The name in one word: ``input-source``."""
        return self.name.replace(" ", "-")

    @property
    def place(self) -> tuple[str, str]:
        """The section of a config, and the key in it: ``("output", "file_format")``."""
        section, _, key = self.key.removesuffix("[]").partition(".")
        return section, key


_INTERFACES = "audiogen_core.interfaces"
_TESTING = "audiogen_core.testing"
SAMPLER = Kind(
    "sampler",
    "audiogen_samplers",
    f"{_INTERFACES}.sampler:Sampler",
    "generation.sampler_type",
    options="beside",
    check=f"{_TESTING}.samplers:check_sampler",
    section="audiogen_core.config:GenerationSection",
)
INPUT = Kind(
    "input source",
    "audiogen_inputs",
    f"{_INTERFACES}.input_source:InputSource",
    "input.type",
    options="beside",
    check=f"{_TESTING}.inputs:check_input_source",
    section="audiogen_core.config:InputSection",
)
NAMING = Kind(
    "naming strategy",
    "audiogen_naming",
    f"{_INTERFACES}.naming:NamingStrategy",
    "output.file_naming",
    options="named",
    check=f"{_TESTING}.naming:check_naming",
)
ENCODER = Kind(
    "encoder",
    "audiogen_encoders",
    f"{_INTERFACES}.encoder:Encoder",
    "output.file_format",
    options="named",
    check=f"{_TESTING}.encoders:check_encoder",
)
POST_PROCESSOR = Kind(
    "post-processor",
    "audiogen_post_processors",
    f"{_INTERFACES}.post_processor:PostProcessor",
    "output.post_processing[]",
    check=f"{_TESTING}.post_processors:check_post_processor_class",
)
OBSERVER = Kind(
    "observer",
    "audiogen_observers",
    f"{_INTERFACES}.observer:Observer",
    "output.observers[]",
    check=f"{_TESTING}.observers:check_observer",
)
CONDITIONER = Kind(
    "conditioner",
    "audiogen_conditioners",
    f"{_INTERFACES}.conditioner:Conditioner",
    "model.conditioning.configs[].type",
    options="config",
    check=f"{_TESTING}.model_parts:check_conditioner",
)
BACKBONE = Kind(
    "backbone",
    "audiogen_backbones",
    f"{_INTERFACES}.backbone:Backbone",
    "model.diffusion.type",
    options="config",
    check=f"{_TESTING}.model_parts:check_backbone",
)
AUTOENCODER = Kind(
    "autoencoder",
    "audiogen_autoencoders",
    f"{_INTERFACES}.autoencoder:Autoencoder",
    "model.pretransform.config.decoder.type",
    options="config",
    check=f"{_TESTING}.model_parts:check_autoencoder",
)
BOTTLENECK = Kind(
    "bottleneck",
    "audiogen_bottlenecks",
    f"{_INTERFACES}.bottleneck:Bottleneck",
    "model.pretransform.config.bottleneck.type",
    options="config",
    check=f"{_TESTING}.model_parts:check_bottleneck",
)
EMBEDDER = Kind(
    "embedder",
    "audiogen_embedders",
    f"{_INTERFACES}.embedder:Embedder",
    "--embedder",
    options="arguments",
    check=f"{_TESTING}.embedders:check_embedder",
)
EXECUTOR = Kind(
    "executor",
    "audiogen_executors",
    f"{_INTERFACES}.executor:Executor",
    "--executor",
    options="arguments",
    setting="--executor-option",
    check=f"{_TESTING}.executors:check_executor",
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
    EMBEDDER,
    EXECUTOR,
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


@dataclass(frozen=True)
class Missing:
    """Something that is installed, but cannot be used.

    Attributes:
        name: The plugin's name; that of the entry point where the kind is None.
        kind: The plugin's kind; None where a whole entry point is missing.
        origin: The distribution.
        cause: Why, in one line.
        disabled: Whether it was switched off, rather than having failed.
    """

    name: str
    kind: Kind | None
    origin: Origin
    cause: str
    disabled: bool = False

    def __str__(self) -> str:
        what = "plugin" if self.kind is None else self.kind.name
        why = "is switched off" if self.disabled else f"could not be loaded: {self.cause}"
        return f"{what} '{self.name}' of {self.origin} {why}"


class Registry(Generic[T]):
    """The plugins of one kind, by name, in the order of their registration.

    Args:
        kind: The kind.
        missing: What could not be loaded, of this kind and of others; it may grow.
    """

    def __init__(self, kind: Kind, missing: Sequence[Missing] = ()) -> None:
        self.kind = kind
        self._missing = missing
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
            PluginError: The name is taken, or none, or the target is no class and no reference.
        """
        if not isinstance(name, str) or not name or not name.isprintable():
            raise PluginError(
                f"{self.kind.name} {name!r} of {origin} must have a string for its name, of "
                "characters that can be printed"
            )
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
        """The message for a name that nobody registered; it may be that of a missing plugin."""
        hint = did_you_mean(name, self._registrations)
        missing = "".join(
            f"; {one}"
            for one in self._missing
            if one.kind is None or (one.kind is self.kind and one.name == name)
        )
        known = listed(self.names())
        return f"{name!r} is not a known {self.kind.name}{hint}; known: {known}{missing}"

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

    def named(self, name: str, where: str) -> type[T]:
        """The class of a name that a user has written.

        Args:
            name: The name.
            where: Where it stands: a JSON path, or an argument.

        Raises:
            InputError: Nobody registered it, or the plugin cannot be loaded.
        """
        if name not in self:
            raise InputError(Problem(where, self.unknown(name)))
        try:
            return self.load(name)
        except PluginError as error:
            raise InputError(Problem(where, str(error))) from error

    @contextmanager
    def calling(self, name: str, where: str) -> Iterator[None]:
        """Makes one problem of what a plugin raises while the outputs are planned.

        Args:
            name: The plugin's.
            where: Where the config names it.

        Raises:
            InputError: It raised something that is no error for the user.
        """
        try:
            yield
        except AudiogenError:
            raise
        except (Exception, SystemExit) as error:
            whose = f" of {self.origin(name)}" if name in self else ""
            what = f"{self.kind.name} '{name}'{whose} failed: {describe(error)}"
            raise InputError(Problem(where, what)) from error

    def classes(self, names: Iterable[str] | None = None) -> Iterator[type[T]]:
        """The classes of the given names, or of all; what cannot be had is left out."""
        for name in self._registrations if names is None else names:
            try:
                yield self.load(name)
            except (KeyError, PluginError):
                continue

    def _import(self, registration: Registration[T]) -> type[T]:
        label = f"{self.kind.name} '{registration.name}' of {registration.origin}"
        try:
            with redirect_stdout(sys.stderr):  # which is for results
                plugin: Any = (
                    import_reference(registration.target)
                    if isinstance(registration.target, str)
                    else registration.target
                )
        except KeyboardInterrupt:
            raise
        # A plugin may fail in any way at import; SystemExit is one of them.
        except BaseException as error:
            raise PluginError(f"{label} cannot be imported: {describe(error)}") from error
        interface = import_reference(self.kind.interface)
        if not (isinstance(plugin, type) and issubclass(plugin, interface)):
            raise PluginError(f"{label} is not a subclass of {self.kind.interface}")
        if missing := sorted(getattr(plugin, "__abstractmethods__", ())):
            raise PluginError(f"{label} lacks {listed(missing)}")
        if getattr(plugin, "NAME", None) != registration.name:
            found = getattr(plugin, "NAME", None)
            raise PluginError(f"{label} calls itself {found!r} in its NAME")
        options = getattr(plugin, "Options", None)
        if hidden := sorted(self.kind.taken & getattr(options, "model_fields", {}).keys()):
            raise PluginError(f"{label} cannot have options called {listed(hidden)}")
        if (wrong := plugin.misdeclared() if hasattr(plugin, "misdeclared") else None) is not None:
            raise PluginError(f"{label} {wrong}")
        return plugin


def import_reference(reference: str) -> Any:
    """Imports what ``"package.module:name"`` names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def describe(error: BaseException) -> str:
    """An exception in one line: ``ImportError: no module named 'x'``; our own without its type."""
    text = " ".join(str(error).split())
    if isinstance(error, AudiogenError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def kind_named(text: str) -> Kind:
    """The kind that a user means: ``input source``, ``input-source`` or ``input_source``.

    Raises:
        UsageError: There is none of this name.
    """
    kinds = {kind.slug: kind for kind in KINDS}
    if (slug := "-".join(text.lower().replace("_", " ").replace("-", " ").split())) in kinds:
        return kinds[slug]
    raise UsageError(
        f"{text!r} is not a kind of plugin{did_you_mean(slug, kinds)}; known: {listed(kinds)}"
    )
