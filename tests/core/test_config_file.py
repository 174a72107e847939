"""Configs in JSON, TOML and YAML: what is read alike, and what is refused with its place."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from audiogen_core import strict_yaml
from audiogen_core.config_file import read_config_file
from audiogen_core.errors import InputError
from audiogen_core.strict_data import MAX_DEPTH, MAX_HANDWRITTEN_BYTES
from audiogen_core.strict_json import parse_json
from audiogen_core.strict_toml import parse_toml
from audiogen_core.strict_yaml import parse_yaml

CONFIG = {
    "generation": {"steps": 2, "cfg_scale": 7.0, "cfg_interval": [0, 1]},
    "input": {"type": "config", "samples": [{"prompt": "wïnd", "seconds_total": 1.5}]},
    "output": {"save_metadata": False, "file_naming": "prompt"},
}

FILES = {
    "config.json": json.dumps(CONFIG),
    "config.toml": """
        [generation]
        steps = 2
        cfg_scale = 7.0
        cfg_interval = [0, 1]  # a comment
        [input]
        type = "config"
        [[input.samples]]
        prompt = "wïnd"
        seconds_total = 1.5
        [output]
        save_metadata = false
        file_naming = "prompt"
    """,
    "config.yaml": """
# a comment
generation:
  steps: 2
  cfg_scale: 7.0
  cfg_interval: [0, 1]
input:
  type: config
  samples:
  - prompt: wïnd
    seconds_total: 1.5
output: {save_metadata: false, file_naming: "prompt"}
""",
}


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def yaml_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers of PyYAML: the fast one is not on every machine."""
    monkeypatch.setattr(strict_yaml, "_LOADER", getattr(yaml, request.param))


@pytest.mark.parametrize("name", [*FILES, "config.YML", "config.cfg"])
def test_the_same_config_in_every_format(tmp_path: Path, name: str) -> None:
    """The ending names the format, JSON without a known one; a byte-order mark does not matter."""
    text = FILES.get(name, FILES["config.yaml" if name.endswith("YML") else "config.json"])
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / name).write_text(text, encoding=encoding)
        read = read_config_file(tmp_path / name)
        assert read == CONFIG
        assert repr(read["generation"]["cfg_scale"]) == "7.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "a: appears twice in one object (line 2, column 1)"),
        ("a: {b: 1, b: 1}", "a.b: appears twice in one object (line 1, column 11)"),
        ("a: [no]", "a[0]: 'no' is a boolean to some versions of YAML: write true or false"),
        ("a: On", "a: 'On' is a boolean to some versions"),
        ("a:\n  b: 2024-01-01", "a.b: '2024-01-01' is a date to some versions of YAML: put it in"),
        ("a: 1:30", "a: '1:30' is a number to some versions of YAML"),
        ("a: 1_000", "a: '1_000' is a number to some versions"),
        ("a: 0x10", "a: '0x10' is a number to some versions"),
        ("a: 010", "a: '010' is octal to some versions of YAML: write a decimal number"),
        ("a: 0o10", "a: '0o10' is octal to some versions"),
        ("a: .nan", "a: .nan is not a number that a config can hold (line 1, column 4)"),
        ("a: -.inf", "a: -.inf is not a number that a config can hold"),
        ("a: 1e999", "a: is too large a number: 1e999"),
        ("a: " + "9" * 5000, "a: is a whole number with too many digits"),
        ("a: &x 1\nb: *x", "line 1, column 4: anchor &x: a config has no anchors"),
        ("a: *x", "line 1, column 4: alias *x: write the value out"),
        ("&k a: 1", "line 1, column 1: anchor &k"),
        ("a: !!python/name:os.system x", "line 1, column 4: tag tag:yaml.org,2002:python/name"),
        ("a: !!str 1", "line 1, column 4: tag tag:yaml.org,2002:str: a config has no tags"),
        ("!mine {a: 1}", "line 1, column 1: tag !mine"),
        ("<<: {a: 1}", "line 1, column 1: key '<<' is a merge key to some versions of YAML"),
        ("a: {1: 2}", "line 1, column 5: key '1' is not a string: put it in quotes"),
        ("yes: 2", "line 1, column 1: key 'yes' is a boolean to some versions"),
        ("? [a]\n: 1", "line 1, column 3: key is not a string"),
        ("a: 1\n---\nb: 2", "line 2, column 1: a second document begins here"),
        ("a: 1\n b: 2", "line 2, column 3: not valid YAML: mapping values are not allowed"),
        ("a: [1\n", "line 2, column 1: not valid YAML: did not find expected ',' or ']'"),
        ("a: 1\n\tb: 2", "line 2, column 1: not valid YAML: found "),
        ('a: "x\\0"', "a: holds a null character"),
        ("a: \x07", "not valid YAML: "),
        ("[" * 70, f"is nested too deeply, more than {MAX_DEPTH} levels"),
        ("  \n", "generation config is empty"),
    ],
)
@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_what_yaml_refuses(
    text: str, message: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that versions or libraries of YAML read in different ways is an error."""
    monkeypatch.setattr(strict_yaml, "_LOADER", getattr(yaml, loader))
    if loader == "SafeLoader":  # has words of its own for the same place
        message = message.replace("did not find expected ',' or ']'", "expected ',' or ']'")
    with pytest.raises(InputError) as error:
        parse_yaml(text.encode(), "x.yaml", "generation config")
    assert str(error.value).startswith("x.yaml: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000.0),
        ("+5", 5),
        ("-0", 0),
        (".5", 0.5),
        ("True", True),
        ("~", None),
        ("", None),
        ("'no'", "no"),
        ("|-\n  no", "no"),
        ("no way", "no way"),
        ("12 monkeys", "12 monkeys"),
        ("a: b".join('""'), "a: b"),
    ],
)
@pytest.mark.usefixtures("yaml_loader")
def test_what_yaml_means(text: str, value: Any) -> None:
    """What every version of YAML understands alike is read, and quoted text is always text."""
    read = parse_yaml(f"a: {text}\n".encode(), "x", "config")["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\na = 2", "line 2, column 6: not valid TOML: cannot overwrite a value"),
        ("a = nan", "a: nan is not a number that a config can hold"),
        ("a = [1, -inf]", "a[1]: -inf is not a number that a config can hold"),
        ("a = 1e999", "a: is too large a number: 1e999"),
        ("a = " + "9" * 5000, "not valid TOML: a number has too many digits"),
        ("[a]\nb = 2024-01-01", "a.b: is a date or a time: put it in quotes if it is text"),
        ("a = [{b = 10:00:00}]", "a[0].b: is a date or a time"),
        ("a = 2024-02-31", "line 1, column 5: not valid TOML: invalid date"),
        ("a = ", "line 1, column 5: not valid TOML: invalid value"),
        ("a = [", "line 1, column 6: not valid TOML: "),
        ("a = null", "line 1, column 5: not valid TOML: invalid value"),
        ('a = "\\u0000"', "a: holds a null character"),
        ("a = " + "[" * 70 + "]" * 70, "is nested too deeply"),
        ("a = " + "[" * 100_000, "is nested too deeply"),
        ("", "generation config is empty"),
    ],
)
def test_what_toml_refuses(text: str, message: str) -> None:
    """What TOML can write and a config cannot hold is an error with its place."""
    with pytest.raises(InputError) as error:
        parse_toml(text.encode(), "x.toml", "generation config")
    assert str(error.value).startswith("x.toml: ")
    assert message in str(error.value)


@pytest.mark.parametrize("parse", [parse_yaml, parse_toml])
def test_size_and_text(parse: Any) -> None:
    """Too large a file and one that is not UTF-8 are refused before they are parsed."""
    with pytest.raises(InputError, match="is larger than 128 KiB"):
        parse(b" " * (MAX_HANDWRITTEN_BYTES + 1), "x", "config")
    with pytest.raises(InputError, match=r"is not UTF-8 text \(byte 4\)"):
        parse(b"a = \xff", "x", "config")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["C"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abé_ ", max_size=3), inner)
    ),
    max_leaves=20,
)


@given(values)
def test_yaml_reads_json(value: Any) -> None:
    """JSON is YAML: the same text means the same in both."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    assert parse_yaml(text.encode(), "x", "config") == value


@given(
    st.binary(max_size=60) | st.text("&*!<:-[]{}?'\"ab01 .\n\t#|>%@", max_size=40).map(str.encode)
)
def test_neither_ever_crashes(data: bytes) -> None:
    """Whatever the bytes are, they are data or an error with a message."""
    for parse in (parse_yaml, parse_toml):
        with suppress(InputError):
            json.dumps(parse(data, "x", "config"), allow_nan=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".".join(["a"] * 500) + " = 1", "nested too deeply, more than 64 levels"),
        ("[" + ".".join(["a"] * 500) + "]", "nested too deeply, more than 64 levels"),
        ("a = 0x" + "f" * 5000, "a: is a whole number with too many digits"),
        ("a = [" + "0," * 60_000 + "]", None),
        ("".join(f"a{index} = 1\n" for index in range(2000)), "has 2000 keys, more than 1000"),
    ],
)
def test_toml_bombs(text: str, message: str | None) -> None:
    """What TOML can say shortly and nobody would is refused as in any other format."""
    if message is None:
        assert len(parse_toml(text.encode(), "x", "config")["a"]) == 60_000
        return
    with pytest.raises(InputError, match=message):
        parse_toml(text.encode(), "x", "config")


def test_dots_in_text_are_no_keys() -> None:
    """A text of many words and dots is read as it is."""
    text = "one. two. three " * 100 + "." * 200 + "a" * 100_000
    assert parse_toml(f"a = '{text}'".encode(), "x", "config") == {"a": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[" + b"[]," * 300_000 + b"1]", "holds more than 100,000 values"),
        (json.dumps({str(i): i for i in range(1001)}).encode(), "has 1001 keys, more than 1000"),
        (b"[" + b"NaN," * 1000 + b"1]", "50 problems or more"),
        (b"{" + b'"a":1,' * 1000 + b'"a":1}', "a: appears twice in one object"),
        (b"9" * 5000, "is a whole number with too many digits"),
    ],
)
def test_json_bombs(text: bytes, message: str) -> None:
    """JSON of too many values, keys or digits is refused, and not every problem listed."""
    with pytest.raises(InputError, match=message):
        parse_json(text, "x", "config")
