"""The generation config: what holds when keys are left out, and numbers as they were written."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogen_core.config import DEFAULT_CONDITIONING, GenerationConfig, parse_config
from audiogen_core.errors import InputError, Problem, did_you_mean, nearest
from audiogen_core.options import json_path, shown, type_name
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.strict_data import MAX_DEPTH
from audiogen_core.strict_json import parse_json, read_json
from tests.conftest import SHARED

INPUT = {"type": "config", "samples": [{"prompt": "jazz"}]}


def parsed(**sections: Any) -> GenerationConfig:
    """A config with the sections given."""
    return parse_config({"input": INPUT, **sections}, installed_plugins(), "config.json")


def problems(**sections: Any) -> list[str]:
    """What is wrong with a config."""
    with pytest.raises(InputError) as caught:
        parsed(**sections)
    return [str(problem) for problem in caught.value.problems]


def test_documented_defaults() -> None:
    """A config of samples alone means what the documentation shows."""
    config = parsed()
    assert config.generation.model_dump() == {
        "steps": 100,
        "cfg_scale": 7.0,
        "batch_size": 1,
        "sampler_type": None,
        "sigma_min": 0.01,
        "sigma_max": 100,
        "rho": 1.0,
        "seed": -1,
        "cfg_interval": [0, 1],
        "scale_phi": 0.0,
        "init_noise_level": None,
        "sample_size": None,
    }
    assert config.output.output_dir == "generated/outputs"
    assert (config.encoder.NAME, config.naming.NAME) == ("wav", "verbose")
    assert config.output.save_metadata
    assert config.output.cut_to_seconds_total


def test_conditioning_defaults_absent() -> None:
    """Without the section, the documented defaults hold."""
    assert parsed().conditioning_defaults == DEFAULT_CONDITIONING
    assert DEFAULT_CONDITIONING == {
        "prompt": "",
        "audio_prompt": None,
        "seconds_start": 0,
        "seconds_total": 30,
        "negative_prompt": None,
    }


@pytest.mark.parametrize("values", [{}, {"seconds_total": 5}, {"prompt": None, "x": [1]}])
def test_conditioning_defaults_present(values: dict[str, Any]) -> None:
    """With the section, it alone says what the defaults are."""
    assert parsed(conditioning_defaults=values).conditioning_defaults == values


@pytest.mark.parametrize("number", [7, 7.0, 0, -1, 6.5, 1e-3])
def test_numbers_stay_as_written(number: float) -> None:
    """7 stays apart from 7.0, for names and metadata show what the user wrote."""
    config = parsed(generation={"cfg_scale": number})
    assert repr(config.generation.cfg_scale) == repr(number)


@pytest.mark.parametrize(
    ("seed", "batch_size", "allowed"),
    [
        (2**63 - 1, 1, True),
        (2**63 - 1, 2, False),
        (2**63 - 2, 2, True),
        (-1, 4096, True),
        (0, 1, True),
    ],
)
def test_seed_leaves_room_for_the_batch(seed: int, batch_size: int, allowed: bool) -> None:
    """The highest seed of a batch is the highest that there is."""
    generation = {"seed": seed, "batch_size": batch_size}
    if allowed:
        assert parsed(generation=generation).generation.seed == seed
    else:
        assert problems(generation=generation)


def test_sampler_options_stand_beside() -> None:
    """Keys that the section does not know are the sampler's, checked and kept."""
    config = parsed(generation={"sampler_type": "k-heun", "s_churn": 2, "steps": 5})
    assert config.sampler_options == {"s_churn": 2}


def test_default_samplers_options_are_allowed() -> None:
    """Where no sampler is named, the options of the objectives' own samplers may stand."""
    assert parsed(generation={"eta": 0.5}).sampler_options == {"eta": 0.5}
    assert problems(generation={"order": 3})


@pytest.mark.parametrize("name", ["wav", {"name": "wav"}])
def test_plugin_by_name_or_object(name: Any) -> None:
    """A format is a name, or an object of its name and its options."""
    assert parsed(output={"file_format": name}).encoder.NAME == "wav"


def test_every_problem_at_once() -> None:
    """One run tells everything that is wrong, each thing once."""
    found = problems(
        generation={"steps": 0, "sampler_type": "heun", "cfg_scal": 1},
        conditioning_defaults=3,
        input={"type": "file", "prompt_file": "x"},
        output={"file_format": "mp3", "file_naming": 3, "save_metadata": 0},
        extra={},
    )
    assert [problem.split(": ")[0] for problem in found] == [
        "extra",
        "generation.steps",
        "generation.sampler_type",
        "generation.cfg_scal",
        "conditioning_defaults",
        "input.prompt_file",
        "output.file_naming",
        "output.save_metadata",
        "output.file_format",
    ]


EXAMPLES = [
    json.loads(text.split("```")[0])
    for text in (SHARED / "documented_interface.md").read_text().split("```json\n")[1:]
] if (SHARED / "documented_interface.md").exists() else []  # fmt: skip


@pytest.mark.parametrize("example", [one for one in EXAMPLES if "input" in one])
def test_documented_examples(example: dict[str, Any]) -> None:
    """Every whole example of the documentation is a config."""
    parse_config(example, installed_plugins(), "example")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abé_ ", max_size=3), inner)
    ),
    max_leaves=20,
)


@given(json_values)
def test_strict_json_reads_what_json_writes(value: Any) -> None:
    """What is no trap is read as the standard library reads it, with a byte-order mark too."""
    for data in (json.dumps(value).encode(), json.dumps(value).encode("utf-8-sig")):
        assert parse_json(data, "x", "config") == value


@given(st.binary(max_size=60))
def test_strict_json_never_crashes(data: bytes) -> None:
    """Whatever the bytes are, they are JSON or an error with a message."""
    with suppress(InputError):
        parse_json(data, "x", "config")


@given(
    json_values | st.dictionaries(st.sampled_from(["generation", "input", "output"]), json_values)
)
def test_config_never_crashes(value: Any) -> None:
    """Whatever the JSON holds, it is a config or an error with a message."""
    with pytest.raises(InputError):
        parse_config(value, installed_plugins(), "config.json")


def test_strict_json_depth() -> None:
    """The deepest that is allowed is read; one level more is not."""
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_json(deep, "x", "config")
    with pytest.raises(InputError, match="nested too deeply"):
        parse_json(b"[" + deep + b"]", "x", "config")


def test_read_json_names_the_file(tmp_path: Path) -> None:
    """The message begins with the path as the user wrote it."""
    with pytest.raises(InputError, match=r"none\.json: config does not exist"):
        read_json(tmp_path / "none.json", "config")


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (["input", "samples", 3, "prompt"], "input.samples[3].prompt"),
        ([0], "[0]"),
        (["a b"], "a b"),
        (["a\nb", ""], r"'a\nb'.''"),
    ],
)
def test_json_path(parts: list[str | int], path: str) -> None:
    """Paths are written as people write them, and never break a line."""
    assert json_path("", parts) == path


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1.0, "1.0"),
        ("it's", '"it\'s"'),
        ("a\n", r"'a\n'"),
        ([1, {"a": None}], '[1, {"a": null}]'),
        ("x" * 500, f"'{'x' * 59}..."),
    ],
)
def test_shown(value: Any, text: str) -> None:
    """Messages show values in the words of JSON, and never at length."""
    assert shown(value) == text


def test_type_name() -> None:
    """Types are called by JSON's names."""
    assert [type_name(value) for value in (True, 1, 1.5, "", [], {}, None, Path())][:7] == [
        "a boolean", "a whole number", "a number", "a string", "a list", "an object", "null",
    ]  # fmt: skip


def test_suggestions() -> None:
    """A near word is suggested whatever its case; a far one is not."""
    assert did_you_mean("STEP", ["seed", "steps"]) == " (did you mean 'steps'?)"
    assert did_you_mean("zzz", ["seed", "steps"]) == ""
    assert nearest("x", []) is None


def test_input_error_says_how_many() -> None:
    """One problem is one line; several are counted, and more may be."""
    one, two = Problem("a", "bad"), Problem("", "worse")
    assert str(InputError(one, "f")) == "f: a: bad"
    assert str(InputError([one, two])) == "2 problems\n  a: bad\n  worse"
    assert str(InputError([one, two], "f", more=True)).startswith("f: 2 problems or more\n")
