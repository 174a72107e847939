"""``audiogen plugins check``: the contract checks, run over what is installed."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from audiogen_cli.arguments import PluginKind
from audiogen_core.errors import UsageError
from audiogen_core.terminal import fitted


def check_plugins(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only plugins of this name.")
    ] = None,
    kind: PluginKind = None,
) -> None:
    """Run the contract checks over the installed plugins, those of third parties included.

    Prints a line for each: ok, failed with the cause, or skipped where this machine lacks what it
    needs. Exit codes: 0 none failed, 1 some failed, 2 wrong usage.
    """
    from audiogen_core.plugin_manager import installed_plugins
    from audiogen_core.registry import kind_named

    plugins = installed_plugins()
    wanted = None if kind is None else kind_named(kind)
    registries = [one for one in plugins.registries() if wanted in (None, one.kind)]
    missing = [
        one
        for one in plugins.missing
        if not one.disabled
        and (wanted is None or one.kind in (None, wanted))
        and name in (None, one.name)
    ]
    if name is not None and not missing and not any(name in one for one in registries):
        raise UsageError(_unknown(name, registries))
    failed = bool(missing)
    for registry in registries:
        for one in registry:
            if name in (None, one.name):
                status, cause = _verdict(registry, one.name)
                failed |= status == "failed"
                _say(status, registry.kind.name, one.name, one.origin, cause)
    for lost in missing:
        what = "entry point" if lost.kind is None else lost.kind.name
        _say("failed", what, lost.name, lost.origin, lost.cause)
    if failed:
        raise typer.Exit(1)


def _verdict(registry: Any, name: str) -> tuple[str, str]:
    from audiogen_core.errors import NotInstalledError
    from audiogen_core.interfaces.encoder import EncoderUnavailableError
    from audiogen_core.registry import describe
    from audiogen_core.testing.contracts import check

    try:
        check(registry.kind, registry.load(name))
    except (EncoderUnavailableError, NotInstalledError) as error:
        return "skipped", str(error).splitlines()[0]
    except AssertionError as error:
        return "failed", " ".join(str(error).split()) or "a contract check failed"
    except KeyboardInterrupt:
        raise
    # Whatever a plugin raises where it is tried is its verdict.
    except BaseException as error:
        return "failed", describe(error)
    return "ok", ""


def _say(status: str, kind: str, name: str, origin: object, cause: str) -> None:
    why = f" ({origin}): {cause}" if cause else f" ({origin})"
    line = f"{status:<8}{kind:<17}{name}{why}\n"
    sys.stdout.write(fitted(line, sys.stdout))
    sys.stdout.flush()


def _unknown(name: str, registries: list[Any]) -> str:
    from audiogen_core.errors import did_you_mean

    if len(registries) == 1:
        return str(registries[0].unknown(name))
    every = [known for one in registries for known in one.names()]
    return f"no plugin is called {name!r}{did_you_mean(name, every)}; see audiogen plugins list"
