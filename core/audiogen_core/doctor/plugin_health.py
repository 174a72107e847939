"""The plugins: what each distribution brings, and what of it cannot be used."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator

from audiogen_core.doctor.findings import Finding, Mark, ok
from audiogen_core.hooks import PROJECT, PluginWarning
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.registry import PluginError


def plugin_health() -> Iterator[Finding]:
    """Imports every plugin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # they are findings
        plugins = installed_plugins()
    good: Counter[str] = Counter()
    bad: list[Finding] = []
    for registry in plugins.registries():
        for one in registry:
            try:
                registry.load(one.name)
            except PluginError as error:
                bad.append(_broken(one.name, str(error), one.origin.distribution))
            else:
                good[str(one.origin)] += 1
    for origin, count in good.items():
        yield ok(origin, f"{count} plugin{'s' * (count != 1)} imported", count)
    for lost in plugins.missing:
        if lost.disabled:
            yield ok(lost.name, str(lost))
        else:
            yield _broken(lost.name, str(lost), lost.origin.distribution)
    yield from bad


def _broken(name: str, text: str, distribution: str) -> Finding:
    built_in = distribution == PROJECT
    hint = (
        "The installation is damaged: install audiogen again."
        if built_in
        else f"Update or remove {distribution}; AUDIOGEN_DISABLE_PLUGINS={distribution} "
        "leaves it out."
    )
    return Finding(Mark.PROBLEM if built_in else Mark.WARNING, name, text, hint)
