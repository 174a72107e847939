"""One entry to the contract checks of every kind of plugin.

In a test of your own::

    def test_it_keeps_the_contract():
        check("sampler", MySampler)

``audiogen plugins check`` runs the same over everything that is installed. What a check has to
know besides the class, the class says itself in an optional class method::

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        (folder / "prompts.txt").write_text("a jazz piece")
        return {"options": {"prompts_file": str(folder / "prompts.txt")}}

It returns the keyword arguments of its kind's check function, which `audiogen_core.registry.Kind`
names, and may write files that they need into the folder, which is removed afterwards.
"""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from typing import Any

from audiogen_core.options import validate
from audiogen_core.plugin_help import example_options, options_models
from audiogen_core.registry import Kind, import_reference, kind_named


def check(kind: Kind | str, plugin: type[Any]) -> None:
    """Runs every contract check of a kind over a plugin.

    Args:
        kind: The kind or its name, like ``input-source``.
        plugin: The class.

    Raises:
        AssertionError: A check failed; the message says what was wanted and what came.
        EncoderUnavailableError: This machine lacks what an encoder needs.
        NotInstalledError: The plugin needs a package that is not installed.
    """
    kind = kind_named(kind) if isinstance(kind, str) else kind
    check_described(kind, plugin)
    if not kind.check:
        return
    checks = import_reference(kind.check)
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        checks(plugin, **_arguments(checks, plugin, Path(folder)))


def check_described(kind: Kind, plugin: type[Any]) -> None:
    """The class is of its kind, complete, documented, and has options that can be shown."""
    interface = import_reference(kind.interface)
    label = plugin.__name__
    assert issubclass(plugin, interface), f"{label} must inherit from {kind.interface}"
    assert not inspect.isabstract(plugin), (
        f"{label} lacks {', '.join(sorted(plugin.__abstractmethods__))}"
    )
    name = getattr(plugin, "NAME", None)
    assert isinstance(name, str), f"{label}.NAME must be a string, not {name!r}"
    assert name == name.strip() != "", f"{label}.NAME must be a name, not {name!r}"
    assert plugin.__doc__, f"{label} needs a docstring: audiogen plugins show prints it"
    for model in options_models(plugin).values():
        validate(model, example_options(model), f"the example options of {label}")


def _arguments(checks: Any, plugin: type[Any], folder: Path) -> dict[str, Any]:
    """What the class says of itself; example options where it says nothing of them."""
    parameters = list(inspect.signature(checks).parameters.values())[1:]
    examples = {
        part or "options": example_options(model) for part, model in options_models(plugin).items()
    }
    given = {one.name: examples[one.name] for one in parameters if one.name in examples}
    if (example := getattr(plugin, "contract_example", None)) is not None:
        given.update(example(folder))
    needed = [one.name for one in parameters if one.default is one.empty and one.name not in given]
    assert not needed, (
        f"{plugin.__name__}.contract_example must say what the checks need: {', '.join(needed)}"
    )
    return given
