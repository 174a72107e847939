"""The shape of the house: what may import what, and what must stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import audiogen_core
import audiogen_plugins

CORE = Path(audiogen_core.__file__).parent
PLUGINS = Path(audiogen_plugins.__file__).parent


def imports(file: Path) -> Iterator[str]:
    """The top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=lambda file: file.stem)
def test_the_core_imports_no_plugin(file: Path) -> None:
    """No file of the core imports the built-in plugins or the command line."""
    assert not {"audiogen_plugins", "audiogen_cli"} & set(imports(file))


@pytest.mark.parametrize("file", sorted(PLUGINS.rglob("*.py")), ids=lambda file: file.stem)
def test_plugins_do_not_import_the_command_line(file: Path) -> None:
    """Plugins know the core and nothing above it."""
    assert "audiogen_cli" not in set(imports(file))


def test_importing_the_core_loads_no_plugin() -> None:
    """Plugins come in through entry points alone."""
    code = (
        "import sys, pkgutil, importlib, audiogen_core\n"
        "for one in pkgutil.walk_packages(audiogen_core.__path__, 'audiogen_core.'):\n"
        "    importlib.import_module(one.name)\n"
        "sys.exit(any(name.startswith('audiogen_plugins') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_built_ins_register_through_entry_points() -> None:
    """Every package of built-ins is an entry point of the distribution, as a third party's."""
    packages = {f"audiogen_plugins.{one.name}" for one in PLUGINS.iterdir() if one.is_dir()}
    registered = {
        one.value for one in entry_points(group="audiogen") if one.dist.name == "audiogen"
    }
    assert registered == {name for name in packages if not name.endswith("__pycache__")}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plugins", "list"]])
def test_light_commands_do_not_import_torch(arguments: list[str]) -> None:
    """Help, version and the list of plugins answer at once."""
    code = (
        "import sys; from audiogen_cli.app import main\n"
        f"sys.argv = ['audiogen', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'av', 'huggingface_hub'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
