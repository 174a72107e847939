"""``audiogen config``: the schema, checks of configs, and one to start from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest
from pydantic import Field

from audiogen_core import config_schema as config_schema_module
from audiogen_core import hookimpl
from audiogen_core.config import PluginName, parse_config
from audiogen_core.config_file import read_config_file
from audiogen_core.config_schema import config_schema
from audiogen_core.errors import InputError
from audiogen_core.hooks import PluginWarning
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.interfaces.naming import NamingStrategy
from audiogen_core.options import PluginOptions
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.registry import NAMING, Origin, Registry
from tests.conftest import Command, audiogen_process, local_model

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("**/*.json"))


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    """The schema of what is installed, itself checked."""
    made = config_schema(installed_plugins())
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(schema: jsonschema.Draft202012Validator, path: Path) -> None:
    """Every config among the examples passes the schema."""
    schema.validate(read_config_file(path))


SAMPLES = {"type": "config", "samples": [{"prompt": "wind"}]}
FINE: list[dict[str, Any]] = [
    {"input": SAMPLES},
    {"input": {"type": "file", "prompts_file": "prompts.txt"}},
    {"input": {"type": "config", "samples": [{"anything": [1], "prompt": None}]}},
    {"input": SAMPLES, "generation": {"sampler_type": "k-heun", "s_churn": 1, "s_tmax": None}},
    {"input": SAMPLES, "generation": {"sampler_type": None, "eta": 0.5}},
    {"input": SAMPLES, "generation": {"eta": 0.5}},
    {"input": SAMPLES, "conditioning_defaults": {"mood": 3, "seconds_total": 1.5}},
    {"input": SAMPLES, "output": {"file_format": {"name": "mp3 v0"}, "file_naming": "prompt"}},
]
BAD: list[tuple[str, Any]] = [
    ("no object", [1]),
    ("no input", {}),
    ("unknown section", {"input": SAMPLES, "outputs": {}}),
    ("unknown key", {"input": SAMPLES, "generation": {"step": 1}}),
    ("out of bounds", {"input": SAMPLES, "generation": {"steps": 0}}),
    ("wrong type", {"input": SAMPLES, "generation": {"steps": "5"}}),
    ("bool as number", {"input": SAMPLES, "generation": {"cfg_scale": True}}),
    ("fraction", {"input": SAMPLES, "generation": {"steps": 1.5}}),
    ("short list", {"input": SAMPLES, "generation": {"cfg_interval": [0]}}),
    ("unknown sampler", {"input": SAMPLES, "generation": {"sampler_type": "heun"}}),
    ("another's option", {"input": SAMPLES, "generation": {"sampler_type": "k-lms", "eta": 1}}),
    ("option's bounds", {"input": SAMPLES, "generation": {"sampler_type": "k-lms", "order": 0}}),
    ("nobody's option", {"input": SAMPLES, "generation": {"order": 1}}),
    ("no choice", {"input": SAMPLES, "generation": {"sampler_type": "dpmpp-2m-sde",
                                                     "solver_type": "euler"}}),
    ("no type", {"input": {"samples": [{}]}}),
    ("unknown type", {"input": {"type": "files", "prompts_file": "x"}}),
    ("required option", {"input": {"type": "file"}}),
    ("another input's option", {"input": {"type": "file", "prompts_file": "x", "samples": [{}]}}),
    ("no samples", {"input": {"type": "config", "samples": []}}),
    ("sample is no object", {"input": {"type": "config", "samples": ["wind"]}}),
    ("sample's value", {"input": {"type": "config", "samples": [{"prompt": 3}]}}),
    ("default's value", {"input": SAMPLES, "conditioning_defaults": {"seconds_total": "3"}}),
    ("defaults are a list", {"input": SAMPLES, "conditioning_defaults": []}),
    ("unknown format", {"input": SAMPLES, "output": {"file_format": "ogg"}}),
    ("format's option", {"input": SAMPLES, "output": {"file_format": {"name": "wav", "x": 1}}}),
    ("no name", {"input": SAMPLES, "output": {"file_naming": {}}}),
    ("null format", {"input": SAMPLES, "output": {"file_format": None}}),
    ("empty folder", {"input": SAMPLES, "output": {"output_dir": ""}}),
    ("number for bool", {"input": SAMPLES, "output": {"save_metadata": 1}}),
]  # fmt: skip


@pytest.mark.parametrize("config", FINE, ids=json.dumps)
def test_both_accept(
    config: Any, schema: jsonschema.Draft202012Validator, audiogen: Command, tmp_path: Path
) -> None:
    """What the schema allows, the command allows."""
    (tmp_path / "prompts.txt").write_text("wind\n")
    (tmp_path / "config.json").write_text(json.dumps(config))
    schema.validate(config)
    result = audiogen("config", "validate", "config.json", cwd=tmp_path)
    assert (result.code, result.out, result.err) == (0, "config.json: ok\n", "")


@pytest.mark.parametrize("config", [one for _, one in BAD], ids=[what for what, _ in BAD])
def test_both_refuse(
    config: Any, schema: jsonschema.Draft202012Validator, audiogen: Command, tmp_path: Path
) -> None:
    """What the schema refuses, the command refuses with the place."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert not schema.is_valid(config)
    result = audiogen("config", "validate", "config.json", cwd=tmp_path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: config.json: ")


def test_the_schema_explains(schema: jsonschema.Draft202012Validator) -> None:
    """Every key and every choice has a description, and keys that have a default show it."""
    properties = schema.schema["properties"]
    for section in properties.values():
        for key, value in section["properties"].items():
            assert value.get("description"), key
    assert properties["generation"]["properties"]["steps"]["default"] == 100
    samplers = properties["generation"]["properties"]["sampler_type"]["oneOf"]
    names = [one["const"] for one in samplers if "const" in one]
    assert names == installed_plugins().samplers.names()
    assert all(one["description"] for one in samplers if "const" in one)
    assert properties["output"]["properties"]["file_format"]["default"] == "wav"


class Nested(PluginOptions):
    """An object within a plugin's options."""

    inner: int = 3


class Rich(NamingStrategy):
    """A strategy with a required option and a nested one."""

    NAME = "rich"

    class Options(PluginOptions):
        """Options."""

        word: str
        nested: Nested = Field(Nested(), description="An object.")

    def stem(self, job: Any) -> str:  # noqa: ARG002
        """Not used."""
        return "x"


class Opaque(InputSource):
    """An input source whose option JSON Schema cannot describe."""

    NAME = "opaque"

    class Options(PluginOptions):
        """Options."""

        model_config: ClassVar[Any] = {
            **PluginOptions.model_config,
            "arbitrary_types_allowed": True,
        }
        thing: Path | object = None

    def samples(self) -> Any:
        """None."""
        return iter(())


class Hooks:
    """A third party's hooks, one of which points nowhere."""

    @hookimpl
    def audiogen_naming(self, register: Any) -> None:
        """Registers one that works and one that does not."""
        register("rich", Rich)
        register("broken", "nowhere_to_be_found:Class")

    @hookimpl
    def audiogen_inputs(self, register: Any) -> None:
        """Registers one."""
        register("opaque", Opaque)


def test_the_schema_holds_what_third_parties_add() -> None:
    """Their names and options are in it; what cannot be imported or described does no harm."""
    plugins = PluginManager()
    plugins.load_entry_points()
    plugins.register(Hooks(), "hooks", Origin("other", "1"))
    with pytest.warns(PluginWarning, match="'broken' of other 1 cannot be imported"):
        made = config_schema(plugins)
    jsonschema.Draft202012Validator.check_schema(made)
    schema = jsonschema.Draft202012Validator(made)

    def accepts(naming: Any) -> bool:
        config = {"input": SAMPLES, "output": {"file_naming": naming}}
        try:
            parse_config(config, plugins)
        except InputError:
            assert not schema.is_valid(config)
            return False
        schema.validate(config)
        return True

    assert accepts({"name": "rich", "word": "x", "nested": {"inner": 1}})
    assert not accepts("rich")
    assert not accepts({"name": "rich", "word": "x", "nested": {"inner": "1"}})
    assert not accepts({"name": "prompt", "word": "x"})
    schema.validate({"input": {"type": "opaque", "thing": 1}})


class Chained(PluginOptions):
    """A section that names several plugins in a list."""

    chain: list[PluginName] | None = Field(None, description="In their order.")


def test_a_kind_may_be_named_in_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new kind is in the schema once a section has a field for it, alone or in a list."""
    monkeypatch.setattr(
        config_schema_module, "SECTIONS", {**config_schema_module.SECTIONS, "output": Chained}
    )
    registry: Registry[Any] = Registry(replace(NAMING, name="link", key="output.chain[]"))
    registry.add("prompt", "audiogen_plugins.naming.prompt:ByPrompt", Origin("audiogen", ""))
    plugins = PluginManager()
    monkeypatch.setattr(plugins, "registries", lambda: [registry])
    schema = jsonschema.Draft202012Validator(config_schema(plugins))
    for chain in (None, [], ["prompt"], ["prompt", {"name": "prompt"}]):
        schema.validate({"input": {"type": "any"}, "output": {"chain": chain}})
    for chain in ("prompt", ["verbose"], [{"name": "prompt", "x": 1}], [None]):
        assert not schema.is_valid({"input": {"type": "any"}, "output": {"chain": chain}})


def test_schema_goes_to_a_file_or_out(audiogen: Command, tmp_path: Path) -> None:
    """Both times the text is the same; a folder that is not there is one message."""
    out = audiogen("config", "schema").out
    result = audiogen("config", "schema", "--output", tmp_path / "schema.json")
    assert (result.code, result.out) == (0, "")
    assert (tmp_path / "schema.json").read_text() == out
    assert json.loads(out) == config_schema(installed_plugins())
    result = audiogen("config", "schema", "--output", tmp_path / "no" / "schema.json")
    assert result.code == 2
    assert "cannot be written: No such file or directory" in result.err


def test_validate_reports_every_file(audiogen: Command, tmp_path: Path) -> None:
    """Good files are named on standard output, the problems of all others on standard error."""
    (tmp_path / "good.yaml").write_text("input: {type: config, samples: [{prompt: wind}]}")
    (tmp_path / "bad.toml").write_text("[generation]\nstep = 3\n")
    result = audiogen("config", "validate", "bad.toml", "good.yaml", "none.json", cwd=tmp_path)
    assert (result.code, result.out) == (2, "good.yaml: ok\n")
    assert "error: bad.toml: 2 problems\n  generation.step: unknown key (did you mean" in result.err
    assert "error: none.json: generation config does not exist" in result.err


def test_validate_reads_the_samples(audiogen: Command, tmp_path: Path) -> None:
    """A prompts file has to be there, and every sample's values have to be of their types."""
    (tmp_path / "a.json").write_text(
        json.dumps(
            {
                "conditioning_defaults": {"seconds_start": "0"},
                "input": {"type": "config", "samples": [{}, {"prompt": 1}]},
            }
        )
    )
    (tmp_path / "b.json").write_text('{"input": {"type": "file", "prompts_file": "no.txt"}}')
    result = audiogen("config", "validate", "a.json", "b.json", cwd=tmp_path)
    assert result.code == 2
    assert result.err == (
        "error: a.json: 2 problems\n"
        "  conditioning_defaults.seconds_start: must be a number, not a string\n"
        "  input.samples[1].prompt: must be a string, not a whole number\n"
        "error: b.json: input.prompts_file: file 'no.txt' does not exist\n"
    )


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"seconds_total": -5}, "seconds_total: must be greater than 0 to cut the audio to it"),
        ({"seconds_start": 1e300}, "seconds_start: must be a number of seconds up to 1000000000"),
        ({"init_audio": "no.wav"}, "init_audio: file 'no.wav' does not exist"),
        ({"mask": [[0, 1]]}, "mask: goes with inpaint_audio, the recording that it is a mask of"),
        (
            {"inpaint_audio": "no.wav", "mask": [[2, 1]]},
            "mask: [0] must begin at 0 or later and end after that, not [2, 1]",
        ),
    ],
)
def test_validate_refuses_what_every_model_refuses(
    audiogen: Command, tiny_model: Path, tmp_path: Path, sample: dict[str, Any], message: str
) -> None:
    """Without a model, it says of a sample's value what it says with one."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"input": {"type": "config", "samples": [sample]}}))
    result = audiogen("config", "validate", path)
    assert (result.code, result.out) == (2, "")
    assert f"input.samples[0].{message}" in result.err
    if "inpaint_audio" not in sample:  # which this model does not take
        model = ["--model-config", tiny_model / "model_config.json"]
        assert f"input.samples[0].{message}" in audiogen("config", "validate", path, *model).err


def test_validate_blames_an_argument_for_its_own_values_alone(
    audiogen: Command, tmp_path: Path
) -> None:
    """Where it has made a section in one file, a mistake of the next file's section is not its."""
    (tmp_path / "a.json").write_text('{"input": {"type": "config", "samples": [{"prompt": "x"}]}}')
    (tmp_path / "b.json").write_text('{"generation": {"cfg_scale": "x"}}')
    files = ("a.json", "b.json", "--set", "generation.steps=5")
    result = audiogen("config", "validate", *files, cwd=tmp_path)
    assert (result.code, result.out) == (2, "a.json: ok\n")
    assert "generation.cfg_scale: must be a number" in result.err
    assert "--set" not in result.err


def test_validate_reads_standard_input(tmp_path: Path) -> None:
    """`-` is JSON from standard input, as it is for generate."""
    good = json.dumps({"input": SAMPLES}).encode()
    result = audiogen_process("config", "validate", "-", stdin=good, cwd=tmp_path)
    assert (result.code, result.out, result.err) == (0, "-: ok\n", "")
    result = audiogen_process("config", "validate", "-", stdin=b"input: {}", cwd=tmp_path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: standard input: line 1, column 1: not valid JSON")


class Rows(InputSource):
    """Samples that stand in the lines of a file."""

    NAME = "rows"

    def samples(self) -> Any:
        """One sample with a wrong value."""
        yield Sample({"prompt": 3}, "rows.csv, line 2")


def test_validate_says_where_a_sample_stands(
    audiogen: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a sample of a file, the message has the file and the line."""
    plugins = PluginManager()
    plugins.load_entry_points()
    plugins.inputs.add("rows", Rows, Origin("other", "1"))
    monkeypatch.setattr("audiogen_core.plugin_manager.installed_plugins", lambda: plugins)
    (tmp_path / "a.json").write_text('{"input": {"type": "rows"}}')
    result = audiogen("config", "validate", "a.json", cwd=tmp_path)
    assert result.err == (
        "error: a.json: rows.csv, line 2: prompt: must be a string, not a whole number\n"
    )


def test_validate_with_a_model(audiogen: Command, tiny_model: Path, tmp_path: Path) -> None:
    """With a model config, what it decides is checked: no checkpoint is needed for that."""
    config = {
        "generation": {"sampler_type": "euler"},
        "conditioning_defaults": {"prompt": "wind", "seconds_start": 0, "seconds_total": 600},
        "input": {"type": "config", "samples": [{"seconds_totl": 1}]},
        "output": {"output_dir": str(tmp_path)},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert audiogen("config", "validate", path).code == 0
    model = ["--model-config", tiny_model / "model_config.json"]
    result = audiogen("config", "validate", path, *model)
    assert result.code == 2
    assert "generation.sampler_type: 'euler' cannot sample this model" in result.err
    assert "input.samples[0].seconds_totl: unknown conditioning key (did you mean" in result.err
    config["generation"] = {}
    config["input"] = SAMPLES
    config["conditioning_defaults"]["seconds_total"] = 1
    path.write_text(json.dumps(config))
    result = audiogen("config", "validate", path, *model)
    assert (result.code, result.out) == (0, f"{path}: ok\n"), result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--revision", "main"], "--revision goes with --pretrained-name"),
        (["--pretrained-name", "a/b", "--model-config", "c"], "exclude each other"),
        (["--model-config", "none.json"], "none.json: model config does not exist"),
    ],
)
def test_validate_refuses_half_a_model(
    audiogen: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Arguments that name no model config are one message."""
    (tmp_path / "config.json").write_text(json.dumps({"input": SAMPLES}))
    result = audiogen("config", "validate", "config.json", *arguments, cwd=tmp_path)
    assert result.code == 2
    assert message in result.err


@pytest.mark.parametrize("ending", ["json", "toml", "yaml", "yml"])
def test_init_writes_a_valid_config(
    audiogen: Command,
    schema: jsonschema.Draft202012Validator,
    tmp_path: Path,
    tiny_model: Path,
    ending: str,
) -> None:
    """It is valid as it is, holds every default, says what each key means, and is kept."""
    path = tmp_path / f"new.{ending}"
    result = audiogen("config", "init", path)
    assert (result.code, result.out, result.err) == (0, "", "")
    text = path.read_text(encoding="utf-8")
    data = read_config_file(path)
    schema.validate(data)
    for name, section in schema.schema["properties"].items():
        for key, value in section["properties"].items():
            assert data[name].get(key, value.get("default")) == value.get("default", "config")
            if ending != "json":
                assert f"# {value['description']}"[:60] in text
                assert key in text
    arguments = ["--model-config", tiny_model / "model_config.json"]
    result = audiogen("config", "validate", path, *arguments, cwd=tmp_path)
    assert result.code == 0, result.err

    path.write_text("mine")
    result = audiogen("config", "init", path)
    assert (result.code, path.read_text()) == (2, "mine")
    assert "exists already and is not replaced" in result.err


@pytest.mark.parametrize("name", ["toml", "json", "yaml", None])
def test_init_writes_to_standard_output(
    audiogen: Command, tmp_path: Path, name: str | None
) -> None:
    """Without a file the text goes to standard output, as YAML unless another format is named."""
    ending = name or "yaml"
    audiogen("config", "init", tmp_path / f"file.{ending}")
    result = audiogen("config", "init", *(["--format", name] if name else []))
    assert result.out == (tmp_path / f"file.{ending}").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["config.txt"], "must end in one of '.yaml', '.yml', '.toml', '.json'"),
        (["config.toml", "--format", "yaml"], "its ending says toml, --format says yaml"),
        (["no/config.toml"], "cannot be written: No such file or directory"),
    ],
)
def test_init_refuses(
    audiogen: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """What cannot be written is one message, and nothing is written."""
    result = audiogen("config", "init", *arguments, cwd=tmp_path)
    assert result.code == 2
    assert message in result.err
    assert not list(tmp_path.iterdir())


def test_checks_without_a_model_are_light(tmp_path: Path) -> None:
    """Schema, template and checks import no torch."""
    (tmp_path / "config.yaml").write_text("input: {type: config, samples: [{prompt: wind}]}")
    code = (
        "import sys; from audiogen_cli.app import main\n"
        "for arguments in (['validate', 'config.yaml'], ['schema'], ['init']):\n"
        "    sys.argv = ['audiogen', 'config', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit as done: assert not done.code\n"
        "heavy = {'torch', 'transformers', 'av', 'huggingface_hub'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_generate_reads_every_format(
    audiogen: Command, tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """A YAML and a TOML config make the outputs that they name."""
    data = json.loads(write_config().read_text())
    (tmp_path / "a.yaml").write_text(json.dumps(data))
    (tmp_path / "b.toml").write_text(
        "generation = {steps = 2}\nconditioning_defaults = {seconds_start = 0, seconds_total = 1}\n"
        'input = {type = "config", samples = [{prompt = "wind"}]}\n'
        f"output = {{output_dir = '{tmp_path / 'out'}', file_naming = 'prompt'}}\n"
    )
    for name in ("a.yaml", "b.toml"):
        result = audiogen(
            "generate",
            "--model-config", tiny_model / "model_config.json",
            "--ckpt-path", tiny_model / "model.safetensors",
            "--generation-config", tmp_path / name,
        )  # fmt: skip
        assert result.code == 0, result.err
        assert Path(result.out.strip()).stat().st_size > 1000


@pytest.mark.parametrize("place", ["s3://nowhere/x", "/dev/null/x"])
def test_validate_leaves_the_output_folder_alone(
    tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path, place: str
) -> None:
    """A bucket is not asked, nor a folder made: what a run could not write to is no matter here."""
    config = write_config(output={"output_dir": place})
    model = ["--model-config", tiny_model / "model_config.json"]
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    result = audiogen_process("config", "validate", config, *model, **nowhere)
    assert (result.code, result.out) == (0, f"{config}: ok\n"), result.err
    assert not (tmp_path / "cache").exists()


def test_a_config_stays_good_once_it_has_been_run(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command
) -> None:
    """Its own outputs in the folder are nothing to complain about, whoever's weights made them."""
    config = write_config(generation={"seed": 1})
    made = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert made.code == 0, made.err
    model = ["--model-config", tiny_model / "model_config.json"]
    result = audiogen("config", "validate", config, *model)
    assert (result.code, result.out) == (0, f"{config}: ok\n"), result.err
