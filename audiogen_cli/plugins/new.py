"""``audiogen plugins new``: a complete package for one plugin, to be changed into another."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated

import typer

from audiogen_core.errors import UsageError
from audiogen_core.terminal import tell

if TYPE_CHECKING:
    from audiogen_core.registry import Kind

NAME = re.compile(r"[a-z][a-z0-9]*([ ._-][a-z0-9]+)*")
MAX_NAME = 30
OWN = ("core", "plugins", "cli", "training")
"""With our own name before them, these are packages of our own."""
LINE = 100
TEMPLATES = files("audiogen_cli") / "templates"


def new_plugin(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="The plugin's kind, like sampler or input-source.")
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its name, as a config will have it.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the package.")],
) -> None:
    """Write a complete package for a new plugin: it works, is tested and can be installed.

    The package holds a small algorithm of the kind in a module of its own, the hook and entry
    point that register it, a test that runs the contract checks, and a README.
    """
    from audiogen_core.plugin_manager import installed_plugins
    from audiogen_core.registry import kind_named

    wanted = kind_named(kind)
    check_name(name)
    registry = installed_plugins().registry(wanted)
    if name in registry:
        raise UsageError(
            f"{wanted.name} '{name}' is registered already by {registry.origin(name)}: "
            "choose another name"
        )
    contents = package(wanted, name)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"'{folder}' exists already, and is not an empty folder")
        for path, text in contents.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"'{folder}' cannot be written: {error.strerror}") from None
    for path in contents:
        sys.stdout.write(f"{folder / path}\n")
    tell(f"Next: pip install -e '{folder}[test]', and audiogen plugins check '{name}'")


def check_name(name: str) -> None:
    """Allows what can also be the name of a distribution, a module and a class.

    Raises:
        UsageError: It cannot.
    """
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise UsageError(
            f"{name!r} cannot be the name of a new plugin: use up to {MAX_NAME} lower-case letters "
            "and digits, beginning with a letter, in words separated by one space, dot, dash or "
            "underscore"
        )
    if name in OWN:
        raise UsageError(f"{name!r} cannot be the name of a new plugin: audiogen_{name} is our own")


def package(kind: Kind, name: str) -> dict[str, str]:
    """The files of a new package by their paths in it."""
    words = re.split(r"[ ._-]", name)
    module = kind.slug.replace("-", "_")
    source = _template(f"modules/{module}.py")
    class_name = "".join(word.capitalize() for word in words)
    while keyword.iskeyword(class_name) or re.search(rf"\b{class_name}\b", source):
        class_name += "Plugin"
    interface_module, _, interface = kind.interface.partition(":")
    fields = {
        "name": name,
        "kind": kind.name,
        "slug": kind.slug,
        "hook": kind.hook,
        "interface": interface,
        "interface_module": interface_module,
        "module": module,
        "class_name": class_name,
        "package": "_".join(["audiogen", *words]),
        "distribution": "-".join(["audiogen", *words]),
        "where": "In arguments of a command"
        if kind.options == "arguments"
        else f"A config names it at `{kind.key}`",
        "language": "sh" if kind.options == "arguments" else "json",
        "example": _example(kind, name),
    }
    imports = [
        f"from {fields['package']}.{module} import {class_name}",
        "from audiogen_core.testing.contracts import check",
    ]
    reference = f"{fields['package']}.{module}:{class_name}"
    fields["register"] = _call("register", f'"{name}"', f'"{reference}"')
    fields["imports"] = "\n".join(sorted(imports))
    paths = {
        "README.md": "README.md",
        "pyproject.toml": "pyproject.toml",
        f"src/{fields['package']}/__init__.py": "init.py",
        f"src/{fields['package']}/py.typed": "py.typed",
        "tests/test_contract.py": "test_contract.py",
    }
    contents = {
        path: Template(_template(f"package/{file}.txt")).substitute(fields)
        for path, file in paths.items()
    }
    # Modules are real Python, checked like all other code: the names in them are replaced.
    algorithm = source.replace("my-plugin", name).replace("MyPlugin", class_name)
    contents[f"src/{fields['package']}/{module}.py"] = algorithm
    return contents


def _call(function: str, *arguments: str) -> str:
    """A call in a function's body, broken into lines as ruff does where it is too long."""
    line = f"{function}({', '.join(arguments)})"
    if 4 + len(line) <= LINE:
        return line
    inner = ", ".join(arguments)
    if 8 + len(inner) > LINE:
        inner = ",\n        ".join(arguments) + ","
    return f"{function}(\n        {inner}\n    )"


def _example(kind: Kind, name: str) -> str:
    """The part of a config that names the new plugin, as the README shows it."""
    from audiogen_core.plugin_help import example_use
    from audiogen_core.registry import import_reference

    module = kind.slug.replace("-", "_")
    template = import_reference(f"audiogen_cli.templates.modules.{module}:MyPlugin")
    plugin = type("MyPlugin", (template,), {"NAME": name})
    return example_use(kind, plugin)


def _template(path: str) -> str:
    return TEMPLATES.joinpath(path).read_text(encoding="utf-8")
