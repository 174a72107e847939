"""The built-in input sources yield what stands in their files, or say where they cannot."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiogen_core.config import parse_config
from audiogen_core.errors import InputError
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.jobs import plan_jobs
from audiogen_core.models.config import parse_model_config
from audiogen_core.options import validate
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.testing.tiny_model import tiny_config
from audiogen_plugins.inputs.directory import Directory
from audiogen_plugins.inputs.grid import Grid
from audiogen_plugins.inputs.json_lines import JsonLines
from audiogen_plugins.inputs.prompts_file import PromptsFile
from audiogen_plugins.inputs.table import Table


def source(plugin: type[InputSource], **options: Any) -> InputSource:
    """An input source, its options checked as those of a config are."""
    return plugin(validate(plugin.Options, options, "input"))


def written(folder: Path, content: str | bytes) -> str:
    """The path of a file ``samples`` with this content."""
    path = folder / "samples"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def read(
    plugin: type[InputSource], folder: Path, content: str | bytes, **options: Any
) -> list[Any]:
    """The values of the samples in a file."""
    path = written(folder, content)
    return [one.values for one in source(plugin, samples_file=path, **options).samples()]


def refusal(plugin: type[InputSource], **options: Any) -> str:
    """The message with which a source ends, without the folder of its file."""
    with pytest.raises(InputError) as caught:
        list(source(plugin, **options).samples())
    return str(caught.value)


def refused(plugin: type[InputSource], folder: Path, content: str | bytes, **options: Any) -> str:
    """The message about a file with this content."""
    path = written(folder, content)
    return refusal(plugin, samples_file=path, **options).replace(path, "samples")


def planned(**section: Any) -> list[str]:
    """The problems that the core finds with an input section, for a tiny model."""
    plugins = installed_plugins()
    config = {"input": section, "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1}}
    with pytest.raises(InputError) as caught:
        plan_jobs(
            parse_config(config, plugins), parse_model_config(tiny_config(), "model.json"), plugins
        )
    return [str(problem) for problem in caught.value.problems]


# --- Files in general


@pytest.mark.parametrize(
    ("plugin", "options", "content"),
    [
        (PromptsFile, {"prompts_file": "~/x/a.npy"}, "wind"),
        (JsonLines, {"samples_file": "~/x/a.npy"}, '{"prompt": "wind"}'),
        (Table, {"samples_file": "~/x/a.npy"}, "prompt\nwind"),
        (Directory, {"folder": "~/x", "prompts_file": "~/x/a.npy"}, "wind"),
    ],
)
def test_a_tilde_is_the_home_folder(
    plugin: type[InputSource], options: dict[str, str], content: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """As it is in a shell, and in ``output_dir``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "x" / "a.npy"
    path.parent.mkdir()
    path.write_text(content)
    (sample,) = source(plugin, **options).samples()
    assert sample.values["prompt"] == "wind"
    assert sample.values.get("audio_prompt", str(path)) == str(path)


@pytest.mark.parametrize(
    ("plugin", "key"),
    [(PromptsFile, "prompts_file"), (JsonLines, "samples_file"), (Table, "samples_file")],
)
def test_files_that_cannot_be_read_are_refused(
    plugin: type[InputSource], key: str, tmp_path: Path
) -> None:
    """No file, a folder, another encoding and no content each have their message."""
    path = tmp_path / "x"
    assert refusal(plugin, **{key: str(path)}) == f"input.{key}: file '{path}' does not exist"
    assert refusal(plugin, **{key: str(tmp_path)}) == (
        f"input.{key}: '{tmp_path}' is a folder, not a file"
    )
    noun = "prompt" if plugin is PromptsFile else "sample"
    for empty in (b"", b"\xef\xbb\xbf", b"\n \r\n\t\n"):
        path.write_bytes(empty)
        assert refusal(plugin, **{key: str(path)}) == f"input.{key}: file '{path}' holds no {noun}"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(end: str, tmp_path: Path) -> None:
    """Spreadsheets still offer the ends of old Macs; lines count alike with all of them."""
    lines = ["prompt,seed", '"rain', 'wind",1', "", "snow,x"]
    path = written(tmp_path, end.join(lines) + end)
    prompts = list(source(PromptsFile, prompts_file=path).samples())
    assert [one.values["prompt"] for one in prompts] == [line for line in lines if line]
    assert prompts[-1].where == f"{path}, line 5"
    assert read(Table, tmp_path, end.join(lines[:4])) == [{"prompt": f"rain{end}wind", "seed": 1}]
    content = end.join(lines)
    assert refused(Table, tmp_path, content).startswith("samples, line 5, column 2: seed")
    assert read(JsonLines, tmp_path, f'{{"seed": 1}}{end}{{"seed": 2}}') == [
        {"seed": 1},
        {"seed": 2},
    ]
    long = f"prompt{end}" + f"rain{end}" * 100_000
    assert len(read(Table, tmp_path, long)) == 100_000


@pytest.mark.parametrize("plugin", [PromptsFile, Table])
def test_other_encodings_are_refused_with_the_line(
    plugin: type[InputSource], tmp_path: Path
) -> None:
    """The line is that of the first byte that is no UTF-8."""
    key = "prompts_file" if plugin is PromptsFile else "samples_file"
    path = written(tmp_path, b"prompt\na\ncaf\xe9\n")
    assert refusal(plugin, **{key: path}) == (
        f"input.{key}: file '{path}' is not UTF-8 text (line 3)"
    )


@pytest.mark.parametrize(
    ("plugin", "head", "line"),
    [(JsonLines, b"", b'{"prompt": "a jazz piece"}\n'), (Table, b"prompt,seed\n", b"jazz,7\n")],
)
def test_long_files_are_read_line_by_line(
    plugin: type[InputSource], head: bytes, line: bytes, tmp_path: Path
) -> None:
    """Ten megabytes take less than one, and the first sample comes before the last is read."""
    path = tmp_path / "samples"
    count = 10_000_000 // len(line)
    path.write_bytes(head + line * count + b"\xff")
    samples = source(plugin, samples_file=str(path)).samples()
    tracemalloc.start()
    read = sum(1 for _ in islice(samples, 20_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == 20_000
    assert peak < 1_000_000


# --- JSON lines


def test_jsonl_yields_an_object_a_line(tmp_path: Path) -> None:
    """Values keep their types; a byte-order mark, blank lines and line ends do not matter."""
    content = '\ufeff{"prompt": "a 🎷", "seed": 7}\r\n\n  {"seconds_total": 1.5}  \n{}'
    path = written(tmp_path, content)
    assert list(source(JsonLines, samples_file=path).samples()) == [
        Sample({"prompt": "a 🎷", "seed": 7}, f"{path}, line 1"),
        Sample({"seconds_total": 1.5}, f"{path}, line 3"),
        Sample({}, f"{path}, line 4"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a" 1}', "samples, line 2, column 6: not valid JSON: expecting ':' delimiter"),
        ('{"a": ', "samples, line 2, column 7: not valid JSON: expecting value"),
        ('{"a": 1, "a": 2}', "samples, line 2: a: appears twice in one object"),
        ('{"a": NaN}', "samples, line 2: a: NaN is not a JSON number"),
        ('{"a": 1e999}', "samples, line 2: a: is too large a number: 1e999"),
        ('["a"]', "samples, line 2: must be an object, not a list"),
        ('"a"', "samples, line 2: must be an object, not a string"),
        (b'{"a": "\xff"}', "samples, line 2: it is not UTF-8 text (byte 7)"),
    ],
)
def test_jsonl_says_where_a_line_is_wrong(line: str | bytes, message: str, tmp_path: Path) -> None:
    """The message has the line in the file, and the column or the key."""
    data = line if isinstance(line, bytes) else line.encode()
    assert refused(JsonLines, tmp_path, b'{"prompt": "x"}\n' + data + b"\n{}\n") == message


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
objects = st.dictionaries(st.sampled_from("abc"), st.none() | st.booleans() | numbers | texts)


slowly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For busy machines."""


@slowly
@given(st.lists(objects, min_size=1))
def test_jsonl_gives_back_what_was_written(samples: list[dict[str, Any]]) -> None:
    """Every object of plain values survives."""
    with tempfile.TemporaryDirectory() as folder:
        lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in samples)
        assert read(JsonLines, Path(folder), lines) == samples


# --- Tables


def test_csv_yields_a_row_a_sample(tmp_path: Path) -> None:
    """Cells get the type of their column; empty ones are left out; quotes and lines work."""
    content = (
        "\ufeffprompt, seconds_total ,seed,mood,tempo,key\r\n"
        '"a, ""b""\r\nc",1.5,7,happy,120,5\r\n'
        "\r\n"
        ", 2 ,,,1e2,\r\n"
        "007,,-1,-0.5,,\r\n"
    )
    path = written(tmp_path, content)
    samples = list(source(Table, samples_file=path, text_columns=["key"]).samples())
    assert [(one.values, one.where) for one in samples] == [
        (
            {
                "prompt": 'a, "b"\r\nc', "seconds_total": 1.5, "seed": 7, "mood": "happy",
                "tempo": 120, "key": "5",
            },
            f"{path}, line 2",
        ),
        ({"seconds_total": 2, "tempo": 100.0}, f"{path}, line 5"),
        ({"prompt": "007", "seed": -1, "mood": -0.5}, f"{path}, line 6"),
    ]  # fmt: skip
    assert isinstance(samples[1].values["seconds_total"], int)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_csv_takes_another_delimiter(delimiter: str, tmp_path: Path) -> None:
    """What stands between cells can be any character, and a comma is then text."""
    content = f"prompt{delimiter}seed\na, b{delimiter}3\n"
    assert read(Table, tmp_path, content, delimiter=delimiter) == [{"prompt": "a, b", "seed": 3}]


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", " "])
def test_csv_refuses_what_is_no_delimiter(delimiter: str) -> None:
    """One character, which is no quote, space or line end."""
    with pytest.raises(InputError, match=r"^input.delimiter: must be one character, such as"):
        source(Table, samples_file="x", delimiter=delimiter)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("prompt,seed\na\n", "samples, line 2: has 1 cell, but the header has 2"),
        ("prompt\na\nb,c\n", "samples, line 3: has 2 cells, but the header has 1"),
        ("prompt,\na,1\n", "samples, line 1, column 2: has no name in the header"),
        ("a,b,a\n1,2,3\n", "samples, line 1, column 3: 'a' appears twice in the header"),
        ("seed\nx\n", "samples, line 2, column 1: seed: must be a number, not 'x'"),
        ("a,steps\n1,NaN\n", "samples, line 2, column 2: steps: must be a number, not 'NaN'"),
        ("rho\n1e999\n", "samples, line 2, column 1: rho: is too large a number: '1e999'"),
        ('a\n1\n"b\nc\n', "samples, line 3: is no row: unexpected end of data"),
        ('a\n"b"c\n', "samples, line 2: is no row: ',' expected after '\"'"),
        ("prompt\n", "input.samples_file: file 'samples' holds no sample"),
    ],
)  # fmt: skip
def test_csv_says_where_it_is_wrong(content: str, message: str, tmp_path: Path) -> None:
    """The message has the line that the row starts on, and the column."""
    assert refused(Table, tmp_path, content) == message


def test_csv_misses_text_columns(tmp_path: Path) -> None:
    """A column that is declared has to be there."""
    assert refused(Table, tmp_path, "prompt\na\n", text_columns=["mood"]) == (
        "input.text_columns: 'samples' has no column 'mood'"
    )


def test_csv_reports_an_unknown_column_once(tmp_path: Path) -> None:
    """The place is that of the header, and the hint is the core's."""
    path = written(tmp_path, "seconds_total,promt\n" + "1,a\n" * 100)
    (problem,) = planned(type="csv", samples_file=path)
    assert problem.startswith(
        f"{path}, line 1, column 2: promt: unknown conditioning key (did you mean 'prompt'?); known"
    )


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@slowly
@given(st.lists(st.tuples(cells, cells), min_size=1), st.sampled_from(",;\t"))
def test_csv_gives_back_what_was_written(rows: list[tuple[str, str]], delimiter: str) -> None:
    """Every text survives, but for the spaces around it."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("prompt", "negative_prompt"), *rows])
    wanted = [
        {key: cell.strip() for key, cell in zip(("prompt", "negative_prompt"), row, strict=True)
         if cell.strip()}
        for row in rows if any(cell.strip() for cell in row)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        if wanted:
            assert read(Table, Path(folder), text.getvalue(), delimiter=delimiter) == wanted


# --- Folders


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    """A folder with two embeddings and things that are none."""
    folder = tmp_path / "embeddings"
    (folder / "c.npy").mkdir(parents=True)
    for name in ("b.npy", "a.NPY", "._b.npy"):
        with (folder / name).open("wb") as file:
            np.save(file, np.zeros((2, 4), np.float32))
    (folder / "notes.txt").touch()
    return folder


def test_directory_yields_its_files_in_order(embeddings: Path) -> None:
    """Files alone, sorted; no folder, no other ending, no hidden file."""
    first, second = embeddings / "a.NPY", embeddings / "b.npy"
    assert list(source(Directory, folder=str(embeddings)).samples()) == [
        Sample({"audio_prompt": str(first)}, str(first)),
        Sample({"audio_prompt": str(second)}, str(second)),
    ]


@pytest.mark.parametrize("kind", ["prompts", "prompts_file"])
def test_directory_crosses_files_with_prompts(kind: str, embeddings: Path) -> None:
    """Each file comes with each prompt, from the config or from a file of its own."""
    path = written(embeddings.parent, "x\n\ny\n")
    places = {
        "prompts": ["input.prompts[0]", "input.prompts[1]"],
        "prompts_file": [f"{path}, line 1", f"{path}, line 3"],
    }
    options = {"prompts": ["x", "y"], "prompts_file": path}
    samples = source(Directory, folder=str(embeddings), **{kind: options[kind]}).samples()
    assert [(one.values, one.where) for one in samples] == [
        ({"audio_prompt": path, "prompt": prompt}, f"{path}, {place}")
        for path in (str(embeddings / "a.NPY"), str(embeddings / "b.npy"))
        for prompt, place in zip("xy", places[kind], strict=True)
    ]  # fmt: skip


def test_directory_says_what_is_wrong(embeddings: Path) -> None:
    """A folder that is missing, a file or empty, and prompts from two places."""
    folder = embeddings.parent
    assert refusal(Directory, folder="no") == "input.folder: folder 'no' does not exist"
    file = embeddings / "b.npy"
    assert refusal(Directory, folder=str(file)) == f"input.folder: '{file}' is a file, not a folder"
    assert refusal(Directory, folder=str(folder)) == (
        f"input.folder: folder '{folder}' holds no .npy file"
    )
    with pytest.raises(InputError, match=r"^input: takes 'prompts' or 'prompts_file', not both$"):
        source(Directory, folder="x", prompts=["a"], prompts_file="b")


# --- Grids


def test_grid_yields_every_combination() -> None:
    """The last key changes fastest, and the place says which value of each key it is."""
    values = {"prompt": ["a", "b"], "seed": [1, 2], "cfg_scale": [7.0]}
    samples = list(source(Grid, values=values).samples())
    assert [tuple(one.values.values()) for one in samples] == [
        ("a", 1, 7.0), ("a", 2, 7.0), ("b", 1, 7.0), ("b", 2, 7.0),
    ]  # fmt: skip
    assert list(samples[0].values) == ["prompt", "seed", "cfg_scale"]
    assert samples[1].where == "input.values (prompt[0], seed[1], cfg_scale[0])"


def test_grid_has_an_end() -> None:
    """A grid of more combinations than a run may make is refused before one is made."""
    values = {f"k{number}": list(range(1000)) for number in range(20)}
    with pytest.raises(InputError, match="combinations, more than 100,000"):
        source(Grid, values=values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "input.values: must have at least 1 item"),
        ({"prompt": []}, "input.values: 'prompt' must have at least 1 value"),
        ({"seed": [1, 2, 1]}, "input.values: 'seed' has 1 twice"),
        ({"prompt": "a"}, "input.values.prompt: must be a list, not a string"),
    ],
)
def test_grid_refuses_what_is_no_grid(values: Any, message: str) -> None:
    """Every key needs a list of different values."""
    with pytest.raises(InputError) as caught:
        source(Grid, values=values)
    assert str(caught.value) == message


def test_grid_reports_an_unknown_key_once() -> None:
    """However many combinations there are, the key has one place."""
    (problem,) = planned(type="grid", values={"prompt": ["a", "b"], "loudness": [1, 2, 3]})
    assert problem.startswith("input.values.loudness: unknown conditioning key; known: ")


@pytest.mark.parametrize("content", ['{"prompt": "a jazz piece"}', "prompt\na jazz piece\n"])
def test_the_command_generates_from_files(
    content: str,
    tmp_path: Path,
    audiogen: Callable[..., Any],
    tiny_model: Path,
    write_config: Callable[..., Path],
) -> None:
    """A config that names a file makes an output of each sample."""
    kind = "jsonl" if content.startswith("{") else "csv"
    config = write_config(input={"type": kind, "samples_file": written(tmp_path, content)})
    result = audiogen(
        "generate", "--generation-config", config, "--device", "cpu",
        "--model-config", tiny_model / "model_config.json",
        "--ckpt-path", tiny_model / "model.safetensors",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert Path(result.out.strip()).name == "a jazz piece.cfg7.0.1.wav"
