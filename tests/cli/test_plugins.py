"""``audiogen plugins``: list, show, check and new."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import audiogen_core
from audiogen_cli.plugins import new
from audiogen_core.config import parse_config
from audiogen_core.options import validate
from audiogen_core.plugin_help import example_options, options_models
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.registry import KINDS, Kind
from tests.conftest import Command

DOCUMENTED = {
    "sampler": {
        "k-heun", "k-lms", "k-dpmpp-2s-ancestral", "k-dpm-2", "k-dpm-fast", "k-dpm-adaptive",
        "dpmpp-2m", "dpmpp-2m-sde", "dpmpp-3m-sde", "v-ddim", "v-ddim-cfgpp",
        "euler", "rk4", "dpmpp", "pingpong",
    },
    "conditioner": {"t5", "pre_encoded_latent", "number", "int", "list", "lut"},
    "input source": {"config", "file", "jsonl", "csv", "directory", "grid"},
    "naming strategy": {"prompt", "verbose", "audio_prompt", "template"},
    "encoder": {
        "wav", "mp3 v0", "mp3 320k", "mp3 128k", "flac", "m4a aac_he_v2 32k", "m4a aac_he_v2 64k",
        "wav 24", "wav float", "flac 24", "ogg opus 64k", "ogg opus 96k", "ogg opus 128k",
        "ogg opus 192k", "m4a aac 96k", "m4a aac 128k", "m4a aac 192k", "m4a aac 256k",
    },
    "post-processor": {"trim", "peak", "loudness", "fade", "none"},
    "observer": {"progress", "metadata", "report", "manifest"},
    "backbone": {"dit"},
    "autoencoder": {"oobleck"},
    "bottleneck": {"vae", "tanh"},
    "embedder": {"clap"},
    "executor": {"local", "processes", "ray"},
}  # fmt: skip

BUILT_INS = [
    pytest.param(registry.kind, one.name, id=f"{registry.kind.slug}: {one.name}")
    for registry in installed_plugins().registries()
    for one in registry
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)


def test_it_lists_every_built_in(audiogen: Command) -> None:
    """Name, kind, distribution, version and status of every plugin, in 80 columns."""
    result = audiogen("plugins", "list")
    assert result.code == 0
    header, *lines = result.out.splitlines()
    assert header.split() == ["NAME", "KIND", "DISTRIBUTION", "VERSION", "STATUS"]
    assert max(map(len, [header, *lines])) <= 80
    expected = [
        (name, kind, "audiogen", audiogen_core.__version__, "ok")
        for kind, names in DOCUMENTED.items()
        for name in names
    ]
    found = [tuple(part.strip() for part in line.split("  ") if part.strip()) for line in lines]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("kind", ["input-source", "input source", "Input_Source"])
def test_the_list_can_be_narrowed(audiogen: Command, kind: str) -> None:
    """A kind may be written with a space, a dash or an underscore; --json has all columns."""
    result = audiogen("plugins", "list", "--kind", kind, "--json")
    row = {"distribution": "audiogen", "version": audiogen_core.__version__, "status": "ok"}
    rows = json.loads(result.out)
    assert {row["name"] for row in rows} == DOCUMENTED["input source"]
    assert rows[0] == {"name": "config", "kind": "input source", **row, "cause": None}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["list", "--kind", "smapler"],
            "'smapler' is not a kind of plugin (did you mean 'sampler'",
        ),
        (["check", "--kind", "smapler"], "'smapler' is not a kind of plugin"),
        (["show", "input", "file"], "'input' is not a kind of plugin"),
        (["show", "sampler", "k-huen"], "'k-huen' is not a known sampler (did you mean 'k-heun'?)"),
        (["check", "k-huen"], "no plugin is called 'k-huen' (did you mean 'k-heun'?)"),
        (["check", "k-heun", "--kind", "encoder"], "'k-heun' is not a known encoder"),
        (["new", "smapler", "x", "x"], "'smapler' is not a kind of plugin"),
        (["new", "sampler", "k-heun", "x"], "sampler 'k-heun' is registered already by audiogen"),
        (["new", "sampler", "K Heun", "x"], "'K Heun' cannot be the name of a new plugin"),
        (["new", "sampler", "../x", "x"], "'../x' cannot be the name of a new plugin"),
        (["new", "sampler", "3rd", "x"], "'3rd' cannot be the name of a new plugin"),
    ],
)
def test_what_is_unknown_is_one_message(
    audiogen: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Unknown kinds and names, and names that no plugin can have, write nothing and exit with 2."""
    result = audiogen("plugins", *arguments, cwd=tmp_path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "name"), BUILT_INS)
def test_every_plugin_can_be_shown(audiogen: Command, kind: Kind, name: str) -> None:
    """Documentation, every option, the origin, and an example config that is valid."""
    plugin: Any = installed_plugins().registry(kind).load(name)
    assert name == plugin.NAME
    result = audiogen("plugins", "show", kind.slug, name)
    assert (result.code, result.err) == (0, "")
    assert f"{name}, a" in result.out
    assert f"of audiogen {audiogen_core.__version__}" in result.out
    assert plugin.__doc__.splitlines()[0] in " ".join(result.out.split())
    for model in options_models(plugin).values():
        validate(model, example_options(model))
        for option in model.model_fields:
            assert f"\n    {option}: " in result.out
    if kind.options == "arguments":
        assert f"({kind.key}):\n    {kind.key} {name}" in result.out
        return
    config = json.loads(result.out.partition("In a config")[2].partition("\n")[2])
    if "model" not in config:
        inputs = {"input": {"type": "config", "samples": [{"prompt": "rain"}]}}
        parse_config({**inputs, **config}, installed_plugins())


def test_options_are_shown_with_type_range_default_and_description(audiogen: Command) -> None:
    """As an option of a sampler, a required one, and the options of an object are."""
    sampler = audiogen("plugins", "show", "sampler", "dpmpp-2m-sde").out
    assert "    eta: number; at least 0; default 1.0\n        " in sampler
    words = audiogen("plugins", "show", "conditioner", "list").out
    assert "    options: list of strings; 1 or more items, 4096 or fewer items; required\n" in words
    network = audiogen("plugins", "show", "backbone", "dit").out
    assert '    attn_kwargs.qk_norm: string; "none", ' in network
    option = "timestep_embed_dim: whole number or null; above 0, at most 65536; default null"
    assert f"    {option}\n" in network


def test_the_check_prints_a_line_for_each(audiogen: Command) -> None:
    """Narrowed by kind and by name."""
    result = audiogen("plugins", "check", "--kind", "naming-strategy")
    assert (result.code, result.err) == (0, "")
    lines = [line.split() for line in result.out.splitlines()]
    assert [line[:4] for line in lines] == [
        ["ok", "naming", "strategy", name]
        for name in ("prompt", "verbose", "audio_prompt", "template")
    ]
    one = audiogen("plugins", "check", "tanh")
    assert one.out == f"ok      bottleneck       tanh (audiogen {audiogen_core.__version__})\n"


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_what_needs_a_package_that_is_not_installed_is_skipped(audiogen: Command) -> None:
    """It is no fault of the plugin's; the line says what to install."""
    result = audiogen("plugins", "check", "ray")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("skipped executor         ray ")
    assert "pip install 'audiogen[ray]'" in result.out


def name_of(kind: Kind) -> str:
    """Short, long, of several words, and one that makes the name of a class in its module."""
    names = {"sampler": "sigma-sampler", "encoder": "x", "naming-strategy": "a.b_c-d e2"}
    return names.get(kind.slug, f"{kind.slug}-of-a-very-long-name"[: new.MAX_NAME])


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new package of each kind, with names that need some care."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        for path, text in new.package(kind, name_of(kind)).items():
            (folder / kind.slug / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / kind.slug / path).write_text(text, encoding="utf-8")
    return folder


def test_new_packages_pass_their_own_tests(packages: Path) -> None:
    """The contract checks of every kind."""
    paths = [str(packages / kind.slug / "src") for kind in KINDS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
        + [str(packages / kind.slug / "tests") for kind in KINDS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        cwd=packages,
    )
    assert f"{len(KINDS)} passed" in done.stdout, done.stdout


def test_new_packages_are_in_good_style(packages: Path) -> None:
    """As their own settings of ruff have it."""
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", packages]
        done = subprocess.run(ruff, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_new_packages_use_what_plugins_can_rely_on(kind: Kind) -> None:
    """What they import of audiogen stands in the promise that is made to plugins."""
    promise = (Path(__file__).parents[2] / "docs/plugins/stability.md").read_text(encoding="utf-8")
    sources = [text for path, text in new.package(kind, "new").items() if path.endswith(".py")]
    imports = [
        (one.module.removeprefix("audiogen_core."), alias.name)
        for source in sources
        for one in ast.walk(ast.parse(source))
        if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("audiogen_core")
        for alias in one.names
    ]
    assert imports
    for module, name in imports:
        whole = (
            module.partition(".")[0] if module.startswith(("interfaces.", "testing.")) else module
        )
        asked = (f"audiogen_core.{whole}`", f"`{whole}`", f"{module}.{name}`")
        assert any(one in promise for one in asked), f"{module}.{name}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_new_packages_have_pip_get_nothing_else_called_audiogen(kind: Kind) -> None:
    """An index may have another project of this name, so that they do not ask for it."""
    files = new.package(kind, "new")
    assert tomllib.loads(files["pyproject.toml"])["project"]["dependencies"] == []
    assert "has to be installed first" in files["README.md"]


def test_new_writes_where_nothing_is(audiogen: Command, tmp_path: Path) -> None:
    """The files' paths go to standard output; a folder with something in it is left alone."""
    result = audiogen("plugins", "new", "input-source", "from mail", tmp_path / "a" / "b")
    assert result.code == 0
    written = {
        Path(line).relative_to(tmp_path / "a" / "b").as_posix() for line in result.out.splitlines()
    }
    assert {"pyproject.toml", "README.md", "src/audiogen_from_mail/input_source.py"} < written
    text = (tmp_path / "a/b/src/audiogen_from_mail/input_source.py").read_text(encoding="utf-8")
    assert "class FromMail(InputSource)" in text
    assert 'NAME = "from mail"' in text
    assert "plugins check 'from mail'" in result.err
    (tmp_path / "file").touch()
    for folder in ("a", "file"):
        refused = audiogen("plugins", "new", "sampler", "mine", tmp_path / folder)
        assert (refused.code, refused.out) == (2, "")
        assert "exists already, and is not an empty folder" in refused.err
    (tmp_path / "empty").mkdir()
    assert audiogen("plugins", "new", "sampler", "mine", tmp_path / "empty").code == 0


@pytest.mark.parametrize("name", ["core", "plugins", "cli", "training"])
def test_no_new_package_takes_the_place_of_ours(
    name: str, audiogen: Command, tmp_path: Path
) -> None:
    """Installed, it would hide a part of audiogen."""
    result = audiogen("plugins", "new", "sampler", name, tmp_path / "new")
    assert (result.code, result.out) == (2, "")
    assert f"audiogen_{name} is our own" in result.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["true", "none"])
def test_a_word_of_python_makes_a_class_all_the_same(
    name: str, audiogen: Command, tmp_path: Path
) -> None:
    """A class cannot be called ``True``."""
    assert audiogen("plugins", "new", "sampler", name, tmp_path).code == 0
    (module,) = tmp_path.glob("src/*/sampler.py")
    compile(module.read_text(encoding="utf-8"), module, "exec")
