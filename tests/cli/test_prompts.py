"""``--prompt``, ``--set`` and their kin: what arguments put into a config, or in its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audiogen_core.errors import InputError, UsageError
from audiogen_core.overrides import Overrides, parse_setting
from tests.conftest import Command, local_model

WriteConfig = Callable[..., Path]


def metadata(line: str) -> Any:
    """What stands beside a file."""
    return json.loads(Path(line).with_suffix(".json").read_text(encoding="utf-8"))


def test_nothing_to_generate(audiogen: Command) -> None:
    """Neither prompts nor a config: one message that shows both ways."""
    result = audiogen("generate", "--format", "flac")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: nothing to generate: give prompts, or a config:\n"
        '  audiogen generate --prompt "rising siren"\n'
        "  audiogen generate --generation-config cfg.json\n"
    )


def test_prompts_alone(tiny_model: Path, audiogen: Command, tmp_path: Path) -> None:
    """Without a config, what is not said is as in a config that does not say it."""
    result = audiogen(
        "generate", *local_model(tiny_model), "--prompt", "808", "--prompt", '{"a": "b"}',
        "--format", "flac", "--out", "sounds", "--seconds", "1", "--set", "generation.steps=2",
        cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    told = [metadata(line) for line in lines]
    assert [one["conditioning"]["prompt"] for one in told] == ["808", '{"a": "b"}']
    assert all(
        Path(line).suffix == ".flac" and Path(line).parent == Path("sounds") for line in lines
    )
    assert json.dumps(told[0]["conditioning"]["seconds_total"]) == "1"
    assert told[0]["conditioning"]["seconds_start"] == 0
    generation = told[0]["generation_config"]
    assert (generation["steps"], generation["cfg_scale"]) == (2, 7.0)


def test_prompts_alone_take_what_suits_the_default_model(audiogen: Command, tmp_path: Path) -> None:
    """Where no model is named, its card decides about steps, guidance and length."""
    result = audiogen(
        "generate", "--prompt", "kick drum", "--set", "generation.steps=1", cwd=tmp_path
    )
    assert result.code == 0, result.err
    told = metadata(result.out.strip())
    generation = told["generation_config"]
    assert (generation["cfg_scale"], generation["cfg_interval"]) == (3, [0.5, 1])
    assert told["conditioning"]["seconds_total"] == 2
    assert told["output"]["seconds"] == 2
    assert "seconds_total is up to" not in result.err


def test_arguments_change_a_config(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Prompts take the place of the whole input; what a config says besides stays."""
    config = write_config(
        input={"type": "file", "prompts_file": "nowhere.txt"}, generation={"cfg_scale": 2}
    )
    result = audiogen(
        "generate", *local_model(tiny_model), "--generation-config", config, "--prompt", "rain",
        "--out", tmp_path / "other", "--seconds", "0.5", "--set", "output.file_naming=prompt",
        "--set", "generation.seed=5", "--set", "generation.seed=6",
        "--set", "input.samples[1].prompt=wind", "--set", "input.samples.1.seed=9",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        str(tmp_path / "other" / f"{one}.wav") for one in ("rain", "wind")
    ]
    told = [metadata(line) for line in result.out.splitlines()]
    assert [one["generation_config"]["seed"] for one in told] == [6, 9]
    assert [one["generation_config"]["cfg_scale"] for one in told] == [2, 2]
    assert [one["conditioning"]["seconds_total"] for one in told] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "flc"], "--format flc: output.file_format: 'flc' is not a known encoder (did "
         "you mean 'flac'?); known: "),
        (["--out", ""], "--out : output.output_dir: must not be empty"),
        (["--seconds", "long"], "--seconds long: conditioning_defaults.seconds_total: must be a "
         "number, not a string"),
        (["--set", "generation.stpes=5"], "--set generation.stpes=5: generation.stpes: unknown "
         "key (did you mean 'steps'?); allowed: "),
        (["--set", "generation.steps=many"], "--set generation.steps=many: generation.steps: must "
         "be a whole number, not a string"),
        (["--set", "generaton.steps=5"], "--set generaton.steps=5: generaton: unknown section (did "
         "you mean 'generation'?); allowed: "),
        (["--set", "conditioning_defaults.prmpt=x"], "--set conditioning_defaults.prmpt=x: "
         "conditioning_defaults.prmpt: unknown conditioning key (did you mean 'prompt'?); known: "),
        (["--set", "input.samples[0].steps=0"], "--set input.samples[0].steps=0: "
         "input.samples[0].steps: must be at least 1, not 0"),
        (["--set", "generation.sampler_type=euler"], "--set generation.sampler_type=euler: "
         "generation.sampler_type: 'euler' cannot sample this model, whose objective is 'v'"),
        (["--set", "input.samples=[{\"prompt\": \"\"}, {\"prompt\": 3}]"],
         "--set input.samples=[{\"prompt\": \"\"}, {\"prompt\": 3}]: input.samples[1].prompt: "
         "must be a string, not a whole number"),
        (["--set", "output.file_format.name=flac"], "--set output.file_format.name=flac: "
         "output.file_format: is a string, which holds no name: set it as a whole"),
        (["--set", "input.samples[4].prompt=x"], "--set input.samples[4].prompt=x: "
         "input.samples: has 1 item: [4] is none of them and not the next, which is [1]"),
        (["--set", "input.samples.first=x"], "--set input.samples.first=x: "
         "input.samples: is a list: 'first' must be an index, as in input.samples[0]"),
        (["--set", "generation[0]=x"], "--set generation[0]=x: generation: is an object: [0] must "
         "be a key"),
        (["--set", "generation.steps"], "--set generation.steps: must be like section.key=value, "
         "such as generation.steps=50 or input.samples[0].prompt=rain"),
        (["--set", "output.output_dir=\udcff"], "holds half of a surrogate pair"),
        (["--set", f"a{'.a' * 99}=1"], "generation config is nested too deeply, more than 64"),
    ],
    ids=lambda one: one[1][:40] if isinstance(one, list) else "",
)  # fmt: skip
def test_errors_name_the_argument(
    arguments: list[str],
    message: str,
    tiny_model: Path,
    write_config: WriteConfig,
    audiogen: Command,
    tmp_path: Path,
) -> None:
    """And the place, what is allowed and what may have been meant; nothing is written."""
    config = write_config()
    result = audiogen(
        "generate",
        *local_model(tiny_model),
        "--generation-config",
        config,
        *arguments,
        cwd=tmp_path,
    )
    assert (result.code, result.out) == (2, "")
    last = result.err.splitlines()[-1]
    assert last.removeprefix(f"error: {config}: ").removeprefix("error: ").startswith(message) or (
        arguments[1].startswith(("output.output_dir=", "a.")) and message in last
    ), last
    assert not (tmp_path / "out").exists()


def test_a_problem_of_the_file_is_its_own(write_config: WriteConfig, audiogen: Command) -> None:
    """Of two problems, only that of the argument's value names the argument."""
    config = write_config(generation={"cfg_scale": "much"})
    result = audiogen("config", "validate", config, "--set", "generation.steps=0")
    assert result.code == 2
    assert result.err == (
        f"error: {config}: 2 problems\n"
        "  --set generation.steps=0: generation.steps: must be at least 1, not 0\n"
        "  generation.cfg_scale: must be a number, not a string\n"
    )
    mended = ["--set", "generation.steps=3", "--set", "generation.cfg_scale=1"]
    assert audiogen("config", "validate", config, *mended).out == f"{config}: ok\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=5", {"a": {"b": 5}}),
        ("a.b=5.0", {"a": {"b": 5.0}}),
        ("a.b = true", {"a": {"b": True}}),
        ("a.b=null", {"a": {"b": None}}),
        ('a.b="808"', {"a": {"b": "808"}}),
        ("a.b=rain = wet", {"a": {"b": "rain = wet"}}),
        ("a.b=", {"a": {"b": ""}}),
        ("a.b=NaN", {"a": {"b": "NaN"}}),
        ('a.b={"x": 1, "x": 2}', {"a": {"b": '{"x": 1, "x": 2}'}}),
        ("a.c[0][0].d=1", {"a": {"b": 0, "c": [[{"d": 1}]]}}),
        ("list.0=z", {"a": {"b": 0}, "list": ["z", {"x": None}]}),
        ("list[2]=z", {"a": {"b": 0}, "list": ["y", {"x": None}, "z"]}),
        ("list.1.x.1=z", None),
        ("list.1.x.0=z", {"a": {"b": 0}, "list": ["y", {"x": ["z"]}]}),
        ("0.b=5", {"a": {"b": 0}, "0": {"b": 5}}),
    ],
)
def test_where_a_value_goes(text: str, expected: Any) -> None:
    """Objects and lists that are missing are made; the data itself is not touched."""
    data = {"a": {"b": 0}, "list": ["y", {"x": None}]}
    before = json.dumps(data)
    overrides = Overrides([parse_setting(text)])
    if expected is None:
        with pytest.raises(InputError, match=r"list\[1\]\.x: has 0 items"):
            overrides.applied(data)
    else:
        assert json.dumps(overrides.applied(data), sort_keys=True) == json.dumps(
            {**data, **expected}, sort_keys=True
        )
    assert json.dumps(data) == before


@pytest.mark.parametrize(
    "text", ["", "a", "=5", ".a=5", "a.=5", "a..b=5", "a[x]=5", "a[0=5", "[0]=5"]
)
def test_what_is_no_setting(text: str) -> None:
    """The message shows one."""
    with pytest.raises(UsageError, match=r"must be like section\.key=value"):
        parse_setting(text)
