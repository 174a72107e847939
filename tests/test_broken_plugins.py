"""Broken distributions, built and installed for real: each costs only itself, and says why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result, audiogen_process, local_model

HOOK = """
from audiogen_core import hookimpl

@hookimpl
def audiogen_encoders(register):
    register("{name}", "{module}:Thing")
"""
SOURCES = {
    "import": "import no_such_module",
    "exit": "import sys\nsys.exit(3)",
    "base": "class Odd(BaseException): pass\nraise Odd('odd')",
    "signature": HOOK.format(name="x", module="x").replace("register)", "registry)"),
    "misspelt": HOOK.format(name="x", module="x").replace("encoders", "encoder"),
    "unmarked": HOOK.format(name="x", module="x").replace("@hookimpl", ""),
    "future": "AUDIOGEN_INTERFACE = 99" + HOOK.format(name="x", module="x"),
    "registration": HOOK.format(name="half", module="x") + "    raise RuntimeError('too early')",
    "duplicate": HOOK.format(name="wav", module="audiogen_plugins.encoders.wav")
    + '    register("second", "broken_duplicate_lazy:Second")',
    "lazy": HOOK.format(name="lazy", module="broken_lazy_lazy"),
}
"""The module of each distribution ``broken-<name>``."""

CAUSES = {
    "import": "ModuleNotFoundError: No module named 'no_such_module'",
    "exit": "SystemExit: 3",
    "base": "Odd: odd",
    "signature": "Argument(s) {'registry'} are declared in the hookimpl but can not be found",
    "misspelt": "unknown hook 'audiogen_encoder' (did you mean 'audiogen_encoders'?)",
    "unmarked": "it has no function that is decorated with audiogen_core.hookimpl",
    "future": "it is made for interface version 99, and audiogen",
    "registration": "RuntimeError: too early",
    "duplicate": "encoder 'wav' of broken-duplicate 1.0 is registered already by audiogen",
}
"""What the one warning of each says."""

LAZY = {
    "duplicate": """
from audiogen_plugins.encoders.wav import Wav

class Second(Wav):
    "Another name for WAV."
    NAME = "second"
""",
    "lazy": "import sys\nsys.exit('not today')",
}


def write_project(folder: Path, name: str, source: str, lazy: str | None) -> None:
    """A project ``broken-<name>`` with one entry point."""
    folder.mkdir()
    module = f"broken_{name}"
    files = [f"{module}.py"]
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    if lazy is not None:
        files.append(f"{module}_lazy.py")
        (folder / files[-1]).write_text(lazy, encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        textwrap.dedent(f"""
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"
        [project]
        name = "broken-{name}"
        version = "1.0"
        [project.entry-points.audiogen]
        {module} = "{module}"
        [tool.hatch.build.targets.wheel]
        only-include = {files}
        """),
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all broken distributions, built by hatchling and installed by pip."""
    folder = tmp_path_factory.mktemp("broken")
    for name, source in SOURCES.items():
        write_project(folder / name, name, source, LAZY.get(name))
    build = (
        "import os, pathlib, sys\nfrom hatchling.build import build_wheel\n"
        "for project in sys.argv[2:]:\n    os.chdir(project)\n    build_wheel(sys.argv[1])\n"
    )
    projects = [folder / name for name in SOURCES]
    subprocess.run([sys.executable, "-c", build, folder / "wheels", *projects], check=True)
    wheels = sorted((folder / "wheels").glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", folder / "site", *wheels], check=True)
    return folder / "site"


Run = Callable[..., Result]


@pytest.fixture
def run(site: Path) -> Run:
    """Runs the command with all broken distributions installed."""

    def command(*args: str | Path, **environment: str) -> Result:
        return audiogen_process(*args, PYTHONPATH=str(site), **environment)

    return command


@pytest.fixture(scope="module")
def listing(site: Path) -> Result:
    """``audiogen plugins list --json`` with all of them."""
    return audiogen_process("plugins", "list", "--json", PYTHONPATH=str(site))


def test_the_list_works_with_all_of_them(listing: Result) -> None:
    """Every built-in is there, and whatever else could be loaded."""
    assert listing.code == 0
    rows = json.loads(listing.out)
    ok = {(row["name"], row["distribution"]) for row in rows if row["status"] == "ok"}
    assert {("wav", "audiogen"), ("k-heun", "audiogen")} <= ok
    guests = {one for one in ok if one[1] != "audiogen"}
    assert guests == {("second", "broken-duplicate"), ("lazy", "broken-lazy")}


@pytest.mark.parametrize("name", CAUSES)
def test_each_is_one_warning_and_one_failed_line(listing: Result, name: str) -> None:
    """The warning names the distribution and the cause; the list shows both."""
    lines = [line for line in listing.err.splitlines() if f"broken-{name} 1.0" in line]
    assert len(lines) == 1
    assert lines[0].startswith("warning: ")
    assert CAUSES[name] in lines[0]
    rows = [row for row in json.loads(listing.out) if row["distribution"] == f"broken-{name}"]
    (failed,) = (row for row in rows if row["status"] == "failed")
    assert CAUSES[name] in failed["cause"]
    assert failed["version"] == "1.0"


def test_nothing_else_is_said(listing: Result) -> None:
    """One line each, and no traceback."""
    assert len(listing.err.splitlines()) == len(CAUSES)


def test_a_config_that_needs_none_of_them_works(
    run: Run, tiny_model: Path, write_config: Callable[..., Path]
) -> None:
    """Audio is written; a guest whose other name was taken gives what is left of it."""
    config = write_config(output={"file_format": "second"})
    result = run("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0, result.err
    assert Path(result.out.strip()).stat().st_size > 44


def test_an_unknown_name_tells_what_failed_to_load(
    run: Run, tiny_model: Path, write_config: Callable[..., Path]
) -> None:
    """A config that needs what a broken distribution would have given is an error, and says so."""
    config = write_config(output={"file_format": "half"})
    result = run("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 2
    error = result.err.partition("error: ")[2]
    assert "output.file_format: 'half' is not a known encoder" in error
    assert "of broken-registration 1.0 could not be loaded: RuntimeError: too early" in error


def test_a_lazy_class_fails_where_it_is_looked_at(
    run: Run, tiny_model: Path, write_config: Callable[..., Path]
) -> None:
    """A module that ends the interpreter when imported is a message in every command.

    In a config it is one problem among others.
    """
    cause = "encoder 'lazy' of broken-lazy 1.0 cannot be imported: SystemExit: not today"
    config = write_config(generation={"steps": 0}, output={"file_format": "lazy"})
    generate = run("generate", *local_model(tiny_model), "--generation-config", config)
    assert generate.code == 2
    assert generate.err.endswith(
        f"error: {config}: 2 problems\n"
        "  generation.steps: must be at least 1, not 0\n"
        f"  output.file_format: {cause}\n"
    )
    show = run("plugins", "show", "encoder", "lazy")
    assert (show.code, show.out) == (2, "")
    assert f"error: {cause}" in show.err
    check = run("plugins", "check", "lazy")
    assert check.code == 1
    assert check.out.startswith("failed")
    assert cause in check.out


def test_the_check_fails_for_what_could_not_be_loaded(run: Run) -> None:
    """Narrowed to a kind, whatever may be of that kind is still among what failed."""
    result = run("plugins", "check", "--kind", "naming-strategy")
    assert result.code == 1
    lines = result.out.splitlines()
    assert any(line.startswith("ok ") and " verbose " in line for line in lines)
    for name in set(CAUSES) - {"duplicate"}:
        assert any(line.startswith("failed") and f"broken-{name}" in line for line in lines)


def test_third_parties_can_be_switched_off(run: Run) -> None:
    """By name or all of them, by variable or option: no warning, and the list shows it."""
    everything = run("plugins", "list", AUDIOGEN_DISABLE_PLUGINS="*")
    option = run("--no-third-party", "plugins", "list")
    assert everything == option
    assert (option.code, option.err) == (0, "")
    guests = [line for line in option.out.splitlines() if " broken-" in line]
    assert len(guests) == len(SOURCES)
    assert all(line.endswith("disabled") for line in guests)
    some = run("plugins", "list", "--json", AUDIOGEN_DISABLE_PLUGINS="Broken_Import, audiogen")
    status = {row["distribution"]: row["status"] for row in json.loads(some.out)}
    assert status["broken-import"] == "disabled"
    assert status["broken-exit"] == "failed"
    assert status["audiogen"] == "ok"
    assert "broken-import" not in some.err


def test_a_distribution_that_is_removed_is_forgotten(site: Path, tmp_path: Path) -> None:
    """Nothing is remembered of what was installed."""
    rest = tmp_path / "site"
    shutil.copytree(site, rest)
    for path in rest.glob("broken_*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = audiogen_process("plugins", "list", PYTHONPATH=str(rest))
    assert result.err == ""
    assert "broken" not in result.out
