"""The reference of the Python interfaces, from their docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

MODULES = (
    "audiogen_core.generator",
    "audiogen_core.generation",
    "audiogen_core.result",
    "audiogen_core.interfaces.sampler",
    "audiogen_core.interfaces.input_source",
    "audiogen_core.interfaces.naming",
    "audiogen_core.interfaces.encoder",
    "audiogen_core.interfaces.post_processor",
    "audiogen_core.interfaces.observer",
    "audiogen_core.interfaces.conditioner",
    "audiogen_core.interfaces.backbone",
    "audiogen_core.interfaces.autoencoder",
    "audiogen_core.interfaces.bottleneck",
    "audiogen_core.interfaces.embedder",
    "audiogen_core.windows",
    "audiogen_core.hooks",
    "audiogen_core.options",
    "audiogen_core.tags",
    "audiogen_core.errors",
    "audiogen_core.testing.contracts",
)
"""What scripts and plugins can rely on, and what the tests of plugins use."""

SECTION = re.compile(r"(Args|Returns|Raises|Yields|Attributes):")


def python_page() -> str:
    """A page of all of it."""
    text = """
# Python interfaces

What scripts and plugins can rely on. [From Python](../python.md) has examples of `Generator`, and
[the page of each kind](../plugins.md) a complete plugin; [which versions fit
together](../plugins/stability.md) is told elsewhere.
"""
    return text + "".join(_module(importlib.import_module(name)) for name in MODULES)


def _module(module: ModuleType) -> str:
    text = f"\n## `{module.__name__}`\n\n{_described(module)}"
    for name, member in vars(module).items():
        public = not name.startswith("_") and getattr(member, "__module__", "") == module.__name__
        if public and inspect.isclass(member):
            text += _class(member)
        elif public and inspect.isfunction(member):
            text += f"\n### `{name}`\n\n{_signature(name, member)}\n{_described(member)}"
    return text


def _class(member: type[Any]) -> str:
    bases = [one.__name__ for one in member.__bases__ if one.__name__ not in HIDDEN_BASES]
    head = f"class {member.__name__}" + (f"({', '.join(bases)})" if bases else "")
    text = f"\n### `{member.__name__}`\n\n```py\n{head}\n```\n\n{_described(member)}"
    for name, function in _methods(member):
        text += f"\n#### `{member.__name__}.{name}`\n\n{_signature(name, function)}\n"
        text += _described(function)
    return text


HIDDEN_BASES = {"object", "ABC", "Protocol", "Generic", "Module", "StrEnum"}


def _methods(member: type[Any]) -> Iterator[tuple[str, Any]]:
    for name, value in vars(member).items():
        function = getattr(value, "__func__", getattr(value, "fget", value))
        public = not name.startswith("_") or name == "__call__"
        if public and inspect.isfunction(function) and function.__doc__:
            yield name, function


def _signature(name: str, function: Any) -> str:
    signature = str(inspect.signature(function)).replace("'", "")
    line = f"{name}{signature}"
    if len(line) > 96:
        # Commas within brackets part no arguments.
        inner, _, after = signature[1:].rpartition(")")
        arguments = re.split(r", (?![^\[\(]*[\]\)])", inner)
        line = f"{name}(\n" + "".join(f"    {one},\n" for one in arguments) + f"){after}"
    return f"```py\n{line}\n```\n"


def _described(member: Any) -> str:
    """A docstring as Markdown: its sections become lists, what it shows as code stays so."""
    lines = (inspect.getdoc(member) or "").splitlines()
    text, index = "", 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if found := SECTION.fullmatch(line):
            start = index
            while index < len(lines) and (not lines[index] or lines[index][0] == " "):
                index += 1
            text += f"**{found[1]}**\n\n{_items(lines[start:index], of=found[1])}\n"
        elif line.endswith("::"):
            start = index
            while index < len(lines) and (not lines[index] or lines[index][0] == " "):
                index += 1
            shown = textwrap.dedent("\n".join(lines[start:index])).strip()
            text += f"{_spans(line[:-1])}\n\n```py\n{shown}\n```\n\n"
        else:
            text += _spans(line) + "\n"
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _items(lines: list[str], *, of: str) -> str:
    """The items of a section, each with what continues it; what returns is no list."""
    body = textwrap.dedent("\n".join(lines)).strip()
    if of in {"Returns", "Yields"}:
        return _spans(body) + "\n"
    items = re.sub(r"\n +", " ", body).splitlines()
    parts = [one.partition(": ") for one in items if one]
    return "".join(f"- `{name}`: {_spans(what)}\n" for name, _, what in parts)


def _spans(text: str) -> str:
    return text.replace("``", "`")
