"""Loads plugins: every entry point on its own, so that a broken one never takes the tool down."""

from __future__ import annotations

import os
import re
import sys
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

import audiogen_core
from audiogen_core import hookspecs
from audiogen_core.errors import did_you_mean, listed
from audiogen_core.hooks import DISABLE, INTERFACE_VERSION, PROJECT, Registrar, warn_of_plugin
from audiogen_core.registry import (
    AUTOENCODER,
    BACKBONE,
    BOTTLENECK,
    CONDITIONER,
    EMBEDDER,
    ENCODER,
    EXECUTOR,
    INPUT,
    KINDS,
    NAMING,
    OBSERVER,
    POST_PROCESSOR,
    SAMPLER,
    Kind,
    Missing,
    Origin,
    PluginError,
    Registry,
    describe,
)

if TYPE_CHECKING:
    from audiogen_core.interfaces.autoencoder import Autoencoder
    from audiogen_core.interfaces.backbone import Backbone
    from audiogen_core.interfaces.bottleneck import Bottleneck
    from audiogen_core.interfaces.conditioner import Conditioner
    from audiogen_core.interfaces.embedder import Embedder
    from audiogen_core.interfaces.encoder import Encoder
    from audiogen_core.interfaces.executor import Executor
    from audiogen_core.interfaces.input_source import InputSource
    from audiogen_core.interfaces.naming import NamingStrategy
    from audiogen_core.interfaces.observer import Observer
    from audiogen_core.interfaces.post_processor import PostProcessor
    from audiogen_core.interfaces.sampler import Sampler


class PluginManager:
    """The plugins of this installation.

    Attributes:
        missing: What is installed and cannot be used: it failed, or was switched off.
    """

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self.missing: list[Missing] = []
        self._registries: dict[Kind, Registry[Any]] = {
            kind: Registry(kind, self.missing) for kind in KINDS
        }

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

    @property
    def embedders(self) -> Registry[Embedder]:
        """By ``audiogen embed --embedder``."""
        return self._registries[EMBEDDER]

    @property
    def executors(self) -> Registry[Executor]:
        """By ``audiogen generate --executor``."""
        return self._registries[EXECUTOR]

    def registry(self, kind: Kind) -> Registry[Any]:
        """The registry of a kind."""
        return self._registries[kind]

    def registries(self) -> list[Registry[Any]]:
        """All registries, in the order in which users meet their kinds."""
        return list(self._registries.values())

    def load_entry_points(self, disabled: str = "") -> None:
        """Loads every entry point of the group ``audiogen``; failures become `PluginWarning`.

        Args:
            disabled: Distributions to leave out, separated by commas; ``*`` for all but the
                built-ins, which are always loaded.
        """
        switched_off = {canonical(name.strip()) for name in disabled.split(",") if name.strip()}
        # The built-ins come first, so that who takes a name twice is always the guest; the others
        # are sorted, so that it is always the same one.
        found = [(_origin(one), one) for one in entry_points(group=PROJECT)]
        found.sort(key=lambda pair: (pair[0].distribution != PROJECT, pair[0].distribution))
        for origin, entry_point in found:
            guest = origin.distribution != PROJECT
            if guest and switched_off & {"*", canonical(origin.distribution)}:
                self.missing.append(Missing(entry_point.name, None, origin, "", disabled=True))
                continue
            try:
                with redirect_stdout(sys.stderr):  # which is for results
                    plugin = entry_point.load()
                self.register(plugin, entry_point.name, origin)
            except KeyboardInterrupt:
                raise
            # A plugin may fail in any way at import, SystemExit included; none of them may stop
            # the program.
            except BaseException as error:
                self._lost(entry_point.name, None, origin, describe(error))

    def register(self, plugin: object, name: str, origin: Origin) -> None:
        """Registers the hook implementations of a module or object: all of them, or none.

        A name that is taken already is left out, with a `PluginWarning`; the others are registered.

        Args:
            plugin: What carries functions decorated with `hookimpl`.
            name: The entry point's name.
            origin: Its distribution.

        Raises:
            pluggy.PluginValidationError: A hook has the wrong arguments.
            PluginError: It is made for a later interface, has no hook, or has an unknown one.
        """
        check_interface(plugin)
        staged: list[tuple[Registry[Any], str, type[Any] | str]] = []
        label = f"{origin.distribution}:{name}"
        try:
            self._pluggy.register(plugin, name=label)
            self._check_hooks(plugin)
            for kind, registry in self._registries.items():
                for implementation in getattr(self._pluggy.hook, kind.hook).get_hookimpls():
                    if implementation.plugin is plugin:
                        implementation.function(_registrar(registry, staged))
        except BaseException:
            if self._pluggy.get_plugin(label) is plugin:
                self._pluggy.unregister(plugin)
            raise
        for registry, plugin_name, target in staged:
            try:
                registry.add(plugin_name, target, origin)
            except PluginError as error:
                self._lost(str(plugin_name), registry.kind, origin, str(error))

    def _check_hooks(self, plugin: object) -> None:
        callers = self._pluggy.get_hookcallers(plugin) or []
        if not callers:
            raise PluginError("it has no function that is decorated with audiogen_core.hookimpl")
        known = [kind.hook for kind in self._registries]
        for caller in callers:
            optional = all(
                one.optionalhook for one in caller.get_hookimpls() if one.plugin is plugin
            )
            if not caller.has_spec() and not optional:
                raise PluginError(
                    f"it has an unknown hook {caller.name!r}{did_you_mean(caller.name, known)}; "
                    f"known: {listed(known)}"
                )

    def _lost(self, name: str, kind: Kind | None, origin: Origin, cause: str) -> None:
        missing = Missing(name, kind, origin, cause)
        self.missing.append(missing)
        warn_of_plugin(str(missing))


def _registrar(
    registry: Registry[Any], staged: list[tuple[Registry[Any], str, type[Any] | str]]
) -> Registrar[Any]:
    def register(name: str, plugin: type[Any] | str) -> None:
        staged.append((registry, name, plugin))

    return register


def _origin(entry_point: EntryPoint) -> Origin:
    distribution = entry_point.dist
    if distribution is None:
        return Origin("unknown distribution", "")
    return Origin(distribution.name, distribution.version)


def canonical(name: str) -> str:
    """A distribution's name as package indexes compare them (PEP 503): ``my-plugin``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check_interface(plugin: object) -> None:
    """Looks at the interface version that a module with hooks was made for.

    Raises:
        PluginError: It is later than this one, or no version.
    """
    version = getattr(plugin, "AUDIOGEN_INTERFACE", 1)
    if type(version) is not int or version < 1:
        raise PluginError(f"AUDIOGEN_INTERFACE must be a whole number from 1, not {version!r}")
    if version > INTERFACE_VERSION:
        raise PluginError(
            f"it is made for interface version {version}, and audiogen {audiogen_core.__version__}"
            f" has {INTERFACE_VERSION}; a newer audiogen is needed"
        )


@cache
def _installed(disabled: str) -> PluginManager:
    manager = PluginManager()
    manager.load_entry_points(disabled)
    return manager


def installed_plugins() -> PluginManager:
    """The plugins of this installation, loaded once a process.

    The environment variable ``AUDIOGEN_DISABLE_PLUGINS`` names distributions to leave out.
    """
    return _installed(os.environ.get(DISABLE, ""))
