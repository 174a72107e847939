"""The markers that plugin functions and hook specifications are decorated with."""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

import pluggy

PROJECT: Final = "audiogen"
"""The name of the pluggy project and of the entry-point group that plugins use."""

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

        Raises:
            PluginError: The name is taken already.
        """
        ...
