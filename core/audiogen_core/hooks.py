"""The markers that plugin functions and hook specifications are decorated with."""

from __future__ import annotations

import warnings
from typing import Final, Protocol, TypeVar

import pluggy

PROJECT: Final = "audiogen"
"""The name of the pluggy project and of the entry-point group that plugins use."""

INTERFACE_VERSION: Final = 1
"""The version of the hooks and of `audiogen_core.interfaces`.

A module with hooks states the version that it was made for as ``AUDIOGEN_INTERFACE = 1``; without,
it is taken to be made for the first. The version goes up when the interfaces gain something. They
lose nothing: an audiogen with version N loads plugins made for 1 to N, and refuses later ones.
"""

DISABLE: Final = "AUDIOGEN_DISABLE_PLUGINS"
"""The environment variable that names distributions whose plugins are not loaded."""


class PluginWarning(UserWarning):
    """A plugin failed; everything else goes on."""


def warn_of_plugin(what: str) -> None:
    """Gives a `PluginWarning`, which is no error where others are: nothing else may be lost."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", PluginWarning)
        warnings.warn(what, PluginWarning, stacklevel=4)


hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

T_contra = TypeVar("T_contra", contravariant=True)


class Registrar(Protocol[T_contra]):
    """What a hook receives to register its plugins with, one call for each."""

    def __call__(self, name: str, plugin: type[T_contra] | str) -> None:
        """Registers ``plugin`` under ``name``.

        Args:
            name: What a config calls it; equal to the class's ``NAME``.
            plugin: The class, or where to find it as ``"package.module:Class"``. Such a
                reference is imported when it is first used, so that listing the plugins
                stays fast.

        Nothing is registered before the hook has returned, and nothing at all when it raises. A
        name that is taken already stays with who has it: a warning names both distributions, and
        the hook's other names are registered.
        """
        ...
