"""The documentation: complete, and every example in it works."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import torch
import typer
from pydantic import BaseModel

from audiogen_cli.app import app
from audiogen_core import hookspecs
from audiogen_core.config import SECTIONS, parse_config
from audiogen_core.config_schema import config_schema
from audiogen_core.models.source import LocalSource
from audiogen_core.options import validate
from audiogen_core.pipeline import run
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.prepare import Request
from audiogen_core.registry import KINDS, Kind, Origin, Registry
from audiogen_core.strict_json import parse_json
from audiogen_core.strict_toml import parse_toml
from audiogen_core.strict_yaml import parse_yaml
from audiogen_core.tags import Tags
from audiogen_core.testing.contracts import check
from audiogen_core.testing.encoders import tones
from audiogen_core.testing.tiny_clap import write_tiny_clap
from tests import docs_tables
from tests.conftest import Command, fresh_environment, local_model, run_in

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PARSERS = {"json": parse_json, "yaml": parse_yaml, "toml": parse_toml}
NEEDS_NO_MODEL = {"config", "doctor", "models", "plugins"}
"""The commands whose examples are run."""

ON_THE_HUB = "stabilityai/"
"""What the names of models in examples begin with that would have to be downloaded."""

EMBEDDING = ["docs/embed.md", "docs/plugins/embedders.md"]
"""Pages whose commands embed audio files."""

SESSIONS = [
    "README.md",
    "docs/again.md",
    "docs/audio-in.md",
    "docs/prompts.md",
    "docs/scale.md",
    "docs/tutorial.md",
    "docs/guides/batches.md",
    "docs/guides/seeds.md",
]
"""Pages whose commands make audio, with the default model or a tiny one."""


FENCED = r'^```(\w*)(?: title="([^"\n]+)")?\n(.*?)^```$'
"""A fenced block with its language and its file, in the one way that the site understands."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is to be written to, and its text."""

    page: str
    line: int
    language: str
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """The fenced blocks of a page; the line is the one that the text begins in."""
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(ROOT))
    return [
        Block(
            name,
            text.count("\n", 0, found.start(3)) + 1,
            found[1],
            found[2] or "",
            found[3],
        )
        for found in re.finditer(FENCED, text, re.DOTALL | re.MULTILINE)
    ]


BLOCKS = [block for path in PAGES for block in blocks_of(path)]
PACKAGES = [path for path in PAGES if any(b.file == "pyproject.toml" for b in blocks_of(path))]
"""Pages whose files are a package, to be installed before anything on them works."""
CONFIGS = [
    block for block in BLOCKS if block.language in PARSERS and ROOT / block.page not in PACKAGES
]
PYTHON_PAGES = [
    path
    for path in PAGES
    if path not in PACKAGES and any(block.language == "python" for block in blocks_of(path))
]
PLUGIN_PAGES = {
    hook: path
    for path in PAGES
    for hook in re.findall(r"^Hook: `(\w+)`", path.read_text(encoding="utf-8"), re.MULTILINE)
}
BUILT_INS = [
    (registry, registration.name)
    for registry in installed_plugins().registries()
    for registration in registry
    if registration.origin.distribution == "audiogen"
]
"""Every built-in of every kind."""


def parsed(block: Block) -> Any:
    """The data of a JSON, YAML or TOML block."""
    return PARSERS[block.language](block.text.encode(), str(block), "example")


def is_config(data: Any) -> bool:
    """Whether data is a generation config, or a part of one."""
    return isinstance(data, dict) and bool(data) and ("input" in data or set(data) <= set(SECTIONS))


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory whose modules can be imported, and are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write_files(path: Path, folder: Path) -> None:
    """Writes the named blocks of a page."""
    for block in blocks_of(path):
        if block.file:
            file = folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")


def modules_of(path: Path, folder: Path) -> list[ModuleType]:
    """Writes and imports the named Python blocks of a page, plugins first."""
    write_files(path, folder)
    importlib.invalidate_caches()
    return [
        importlib.import_module(block.file.removesuffix(".py"))
        for block in blocks_of(path)
        if block.language == "python" and block.file
    ]


def with_plugins_of(path: Path, folder: Path) -> PluginManager:
    """The installed plugins, and those that a page defines."""
    plugins = PluginManager()
    plugins.load_entry_points()
    for module in modules_of(path, folder):
        if any(hasattr(module, kind.hook) for kind in KINDS):
            plugins.register(module, module.__name__, Origin("docs", ""))
    return plugins


# What has to be in the documentation


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("audiogen_")])
def test_every_hook_has_a_page(hook: str) -> None:
    """A page of docs/plugins says `Hook: ...`, and the index leads to it."""
    assert hook in PLUGIN_PAGES, f"docs/plugins/: no page has a line that begins 'Hook: `{hook}`'"
    page = PLUGIN_PAGES[hook]
    index = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    for text in (f"(plugins/{page.name})", f"`{hook}`"):
        assert text in index, f"docs/plugins.md: lacks {text}"


@pytest.mark.parametrize(
    "registry", installed_plugins().registries(), ids=lambda registry: registry.kind.name
)
def test_the_tables_are_up_to_date(registry: Registry[Any]) -> None:
    """Every built-in stands in the table of its kind."""
    path = docs_tables.page(registry.kind)
    text = path.read_text(encoding="utf-8")
    where = f"docs/{path.name}"
    start, end = docs_tables.markers(registry.kind)
    assert start in text, f"{where}: lacks the lines {start.strip()} and {end.strip()}"
    for name in registry.names():
        assert f"| `{name}` |" in text, (
            f"{where}: lacks the {registry.kind.name} `{name}`; run python -m tests.docs_tables"
        )
    assert docs_tables.written(text, registry) == text, (
        f"{where}: the table '{registry.kind.name}' is old; run python -m tests.docs_tables"
    )


@pytest.mark.parametrize(
    "plugin", BUILT_INS, ids=lambda one: f"{one[0].kind.name}-{one[1]}".replace(" ", "-")
)
def test_options_in_a_config_are_described(plugin: tuple[Registry[Any], str]) -> None:
    """Every option of a generation config has a description, for help, schema and tables."""
    registry, name = plugin
    if docs_tables.in_config(registry.kind):
        for option, field in docs_tables.fields(registry.load(name)):
            assert field.description, (
                f"{registry.kind.name} '{name}': '{option}' lacks description="
            )


@pytest.mark.parametrize(("section", "model"), SECTIONS.items(), ids=list(SECTIONS))
def test_every_key_is_documented(section: str, model: type[BaseModel]) -> None:
    """docs/generate.md names every key of every section, below the section's heading."""
    text = (ROOT / "docs" / "generate.md").read_text(encoding="utf-8")
    heading = f"### `{section}`\n"
    assert heading in text, f"docs/generate.md: lacks the heading {heading.strip()}"
    part = re.split(r"^#", text.partition(heading)[2], maxsplit=1, flags=re.MULTILINE)[0]
    for key, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{key}: lacks description="
        assert f"`{key}`" in part, f"docs/generate.md, {heading.strip()}: lacks the key `{key}`"


def every_command(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program that does something, with the words that call it."""
    children = getattr(command, "commands", {})
    if not children:
        yield words, command
    for name, child in children.items():
        yield from every_command(child, (*words, name))


@pytest.mark.parametrize(
    ("words", "command"),
    [
        pytest.param(words, command, id=" ".join(words))
        for words, command in every_command(typer.main.get_command(app), ("audiogen",))
    ],
)
def test_every_command_is_documented(words: tuple[str, ...], command: Any) -> None:
    """Some page names every command, and that page names all of its options."""
    name = " ".join(words)
    texts = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
    naming = {page: text for page, text in texts.items() if name in text}
    assert naming, f"docs/: no page names the command '{name}'"
    lacking = {
        page: [option for one in command.params for option in one.opts
               if option.startswith("--") and option != "--help" and option not in text]
        for page, text in naming.items()
    }  # fmt: skip
    assert not all(lacking.values()), f"docs/: no page names all options of '{name}': {lacking}"


# What is in the documentation has to work


@pytest.mark.parametrize("path", PYTHON_PAGES, ids=lambda path: path.stem)
def test_python_blocks_run(path: Path, in_folder: Path) -> None:
    """Every Python block runs, and the tests that a page shows pass."""
    for module in modules_of(path, in_folder):
        tests = [one for name, one in vars(module).items() if name.startswith("test_")]
        assert bool(tests) == module.__name__.startswith("test_")
        for test in tests:
            test()
    for block in blocks_of(path):
        if block.language == "python" and not block.file:
            exec(compile(block.text, str(block), "exec"), {"__name__": "example"})  # noqa: S102


@pytest.mark.parametrize("block", CONFIGS, ids=str)
def test_config_blocks_are_valid(block: Block, in_folder: Path) -> None:
    """Every config is accepted by the command and by the schema, with the page's own plugins."""
    data = parsed(block)
    if is_config(data):
        data = {"input": {"type": "config", "samples": [{}]}, **data}
        plugins = with_plugins_of(ROOT / block.page, in_folder)
        parse_config(data, plugins, str(block))
        jsonschema.Draft202012Validator(config_schema(plugins)).validate(data)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if docs_tables.in_config(kind)], ids=lambda kind: kind.name
)
def test_a_page_s_plugin_makes_audio(kind: Kind, in_folder: Path, tiny_model: Path) -> None:
    """The plugin that a page defines is used by the config that it shows, on a real model."""
    path = PLUGIN_PAGES[kind.hook]
    plugins = with_plugins_of(path, in_folder)
    registry = next(one for one in plugins.registries() if one.kind == kind)
    own = [one.name for one in registry if one.origin.distribution == "docs"]
    assert own, f"{path.name}: no block registers a {kind.name}"
    configs = [data for block in blocks_of(path) if block.language in PARSERS
               if is_config(data := parsed(block))]  # fmt: skip
    using = [one for one in configs if f'"{own[0]}"' in json.dumps(one)]
    assert using, f"{path.name}: no config uses '{own[0]}'"
    source = LocalSource(tiny_model / "model_config.json", tiny_model / "model.safetensors")
    for data in using:
        data["conditioning_defaults"] = {
            "prompt": "", "seconds_start": 0, "seconds_total": 1,
            **data.get("conditioning_defaults", {}),
        }  # fmt: skip
        config = parse_config(data, plugins, path.name)
        outcome = run(Request(config, source, torch.device("cpu")), plugins)
        assert not outcome.failures
        assert outcome.written
        assert all(file.stat().st_size > 1000 for file in outcome.written)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_page_s_plugin_keeps_the_contract(kind: Kind, in_folder: Path) -> None:
    """As ``audiogen plugins check`` runs it: the class says what is needed, and nothing is left."""
    registry = with_plugins_of(PLUGIN_PAGES[kind.hook], in_folder).registry(kind)
    own = [one.name for one in registry if one.origin.distribution == "docs"]
    before = set(in_folder.rglob("*"))
    for name in own:
        check(kind, registry.load(name))
    assert own
    assert set(in_folder.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.options == "config"], ids=lambda kind: kind.name
)
def test_a_page_s_model_part_takes_its_config(kind: Kind, in_folder: Path) -> None:
    """The part of a model config that a page shows is valid for the plugin that it defines."""
    path = PLUGIN_PAGES[kind.hook]
    plugins = with_plugins_of(path, in_folder)
    registry = next(one for one in plugins.registries() if one.kind == kind)
    used = 0
    for block in blocks_of(path):
        if block.language == "json":
            for name, part in parts_of(parsed(block)):
                plugin = registry.load(part["type"])
                options = getattr(plugin, f"{name.capitalize()}Options", None)
                validate(options or plugin.Options, part.get("config", {}), str(block))
                used += registry.origin(part["type"]).distribution == "docs"
    assert used, f"{path.name}: no model config uses the page's {kind.name}"


def parts_of(data: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part that has a type, with the key that it stands under."""
    if isinstance(data, dict):
        if "type" in data:
            yield name, data
        for key, value in data.items():
            yield from parts_of(value, key)


def commands_of(path: Path) -> Iterator[list[str]]:
    """The arguments of every audiogen command on a page, in shell blocks and indented lines."""
    shell = "".join(block.text for block in blocks_of(path) if block.language == "sh")
    indented = re.findall(r"^    .*\n", path.read_text(encoding="utf-8"), re.MULTILINE)
    text = f"{shell}\n{textwrap.dedent(''.join(indented))}".replace("\\\n", " ")
    for line in re.findall(r"^audiogen (.*)$", text, re.MULTILINE):
        words = shlex.split(line, comments=True)
        end = next((i for i, word in enumerate(words) if word in {">", "|", "&&", ";"}), len(words))
        yield words[:end]


COMMANDS = [
    pytest.param(path, arguments, id=f"{path.name}: {' '.join(arguments)}")
    for path in PAGES
    for arguments in commands_of(path)
]


@pytest.mark.parametrize(("path", "arguments"), COMMANDS)
def test_commands_exist(path: Path, arguments: list[str]) -> None:
    """Every command with every option that the documentation shows is one of the program's."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("audiogen", list(arguments))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        one
        for one in COMMANDS
        if one.values[0] not in PACKAGES
        and one.values[1][0] in NEEDS_NO_MODEL
        and not any(word.startswith(ON_THE_HUB) for word in one.values[1])
    ],
)
def test_commands_that_need_no_model_work(
    path: Path, arguments: list[str], audiogen: Command, in_folder: Path, tiny_model: Path
) -> None:
    """They exit with 0, given the files that the page shows."""
    write_files(path, in_folder)
    for name in ("model_config.json", "model.safetensors", "t5"):
        (in_folder / name).symlink_to(tiny_model / name)
    result = audiogen(*arguments)
    assert result.code == 0, result.err


def session_of(page: str) -> list[list[str]]:
    """The commands of a page that belong together, without those that need a download."""
    return [
        one
        for one in commands_of(ROOT / page)
        if one[0] not in NEEDS_NO_MODEL and not any(word.startswith(ON_THE_HUB) for word in one)
    ]


@pytest.mark.parametrize("page", SESSIONS)
def test_a_session_works(page: str, audiogen: Command, in_folder: Path, tiny_model: Path) -> None:
    """A page's commands, one after the other in one folder, exit with 0 and name what they made."""
    write_files(ROOT / page, in_folder)
    for name in ("model_config.json", "model.safetensors", "t5"):
        (in_folder / name).symlink_to(tiny_model / name)
    made_before: set[str] = set()
    for arguments in session_of(page):
        result = audiogen(*arguments)
        nothing_new = " ".join(arguments) in made_before
        assert (result.code, bool(result.out)) == (0, not nothing_new), result.err
        made_before.add(" ".join(arguments))


def test_every_command_is_run() -> None:
    """No command in the documentation is left out of these tests, but for those with downloads."""
    run = [arguments for page in [*SESSIONS, *EMBEDDING] for arguments in session_of(page)]
    left = [
        f"{path.relative_to(ROOT)}: audiogen {' '.join(arguments)}"
        for path, arguments in (one.values for one in COMMANDS)
        if arguments not in run
        and arguments[0] not in NEEDS_NO_MODEL
        and path not in PACKAGES
        and not any(word.startswith(ON_THE_HUB) for word in arguments)
    ]
    assert not left


@pytest.mark.parametrize("page", EMBEDDING)
def test_commands_that_embed_work(
    page: str, audiogen: Command, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the page's own plugins, and a tiny model in the place of those on the Hub."""
    plugins = with_plugins_of(ROOT / page, in_folder)
    monkeypatch.setattr("audiogen_core.plugin_manager.installed_plugins", lambda: plugins)
    clap = write_tiny_clap(in_folder / "laion" / "clap-htsat-unfused")
    (in_folder / "laion" / "larger_clap_music").symlink_to(clap)
    for name in ("loop.flac", "voice.mp3"):
        encoder = next(one for one in plugins.encoders.classes() if name.endswith(one.EXTENSION))()
        encoder.encode(tones(2), 44100, in_folder / name, Tags())
    commands = [one for one in commands_of(ROOT / page) if one[0] == "embed"]
    assert commands
    for arguments in commands:
        result = audiogen(*arguments)
        assert (result.code, bool(result.out)) == (0, True), result.err


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
def test_a_package_is_installed_and_used(
    path: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of the tutorial are a package: its commands and its tests work once installed."""
    write_files(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    project = parse_toml((tmp_path / "pyproject.toml").read_bytes(), "pyproject.toml", "example")
    assert "audiogen" not in project["project"]["dependencies"]  # an index may have another one
    environment = fresh_environment(tmp_path / "environment", tmp_path)
    for arguments in commands_of(path):
        model = local_model(tiny_model) if arguments[0] == "generate" else []
        done = run_in(environment, "-m", "audiogen_cli", *arguments, *model)
        assert done.returncode == 0, done.stderr
        if arguments == ["plugins", "list"]:
            assert "npz" in done.stdout
        if arguments[0] == "generate":
            written = Path(done.stdout.strip())
            assert (written.suffix, written.exists()) == (".npz", True)
    done = run_in(environment, "-m", "pytest", "-q", tmp_path / "tests")
    assert done.returncode == 0, done.stdout


def test_links_lead_somewhere() -> None:
    """Every relative link of every page is to a file that there is."""
    for path in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.relative_to(ROOT)}: no {link}"
