"""``output.manifest`` and ``output.shard_dirs``: one list of what stands in many folders."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from audiogen_plugins.observers.manifest.files import write_manifest
from tests.conftest import Command, local_model

PROMPTS = ["kick", "Kick", "snare", "hat", "kick"]
SAMPLES = {"type": "config", "samples": [{"prompt": one} for one in PROMPTS]}


@pytest.fixture
def generate(
    audiogen: Command, tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path
) -> Callable[..., Any]:
    """Makes five outputs in up to three subfolders, with a manifest."""

    def run(*arguments: str, **output: Any) -> Any:
        section = {
            "output_dir": str(tmp_path / "out"), "file_naming": "prompt", "shard_dirs": 3,
            "manifest": "jsonl", **output,
        }  # fmt: skip
        config = write_config(
            input=SAMPLES, conditioning_defaults={"seconds_total": 0.2}, output=section
        )
        return audiogen(
            "generate", *local_model(tiny_model), "--generation-config", config, *arguments
        )

    return run


def listed(folder: Path) -> list[dict[str, Any]]:
    """The lines of a manifest."""
    lines = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_outputs_are_spread_and_listed(generate: Callable[..., Any], tmp_path: Path) -> None:
    """Names stay unique over all folders, each with its metadata; a run that goes on makes none."""
    out = tmp_path / "out"
    first = generate()
    assert first.code == 0, first.err
    files = sorted(path.relative_to(out) for path in out.glob("?/*.wav"))
    assert sorted(path.stem.lower() for path in files) == [
        "hat",
        "kick",
        "kick-2",
        "kick-3",
        "snare",
    ]
    assert {path.parent.name for path in files} <= {"0", "1", "2"}
    assert len({path.parent.name for path in files}) > 1
    assert [one["file"] for one in listed(out)] == [path.as_posix() for path in files]
    for one in listed(out):
        beside = json.loads((out / one.pop("file")).with_suffix(".json").read_text("utf-8"))
        assert one == beside
    again = generate()
    assert (again.code, again.out) == (0, "")
    assert "all 5 outputs stand" in again.err


def test_a_lost_output_is_made_again_in_its_folder(
    generate: Callable[..., Any], tmp_path: Path
) -> None:
    """With the same bytes under the same name, and the list is whole again."""
    assert generate().code == 0
    out = tmp_path / "out"
    before = {path: path.read_bytes() for path in out.glob("?/*")}
    manifest = (out / "manifest.jsonl").read_bytes()
    victim = next(path for path in sorted(before) if path.suffix == ".wav")
    shutil.rmtree(victim.parent)
    (out / "manifest.jsonl").unlink()
    result = generate()
    assert result.code == 0, result.err
    assert {path: path.read_bytes() for path in out.glob("?/*")} == before
    assert (out / "manifest.jsonl").read_bytes() == manifest
    assert not list(out.rglob("*.part"))


def test_what_is_foreign_in_a_subfolder_is_not_touched(
    generate: Callable[..., Any], tmp_path: Path
) -> None:
    """A file of the same name in the same subfolder is a problem before the model is loaded."""
    assert generate().code == 0
    out = tmp_path / "out"
    victim = next(out.glob("?/snare.wav"))
    victim.with_suffix(".json").unlink()
    shutil.rmtree(out / ".audiogen")
    victim.write_bytes(b"mine")
    result = generate()
    assert result.code == 2
    assert f"'{victim.relative_to(out)}' (input.samples[2])" in result.err
    assert victim.read_bytes() == b"mine"


def test_shards_are_listed_together(
    generate: Callable[..., Any], audiogen: Command, tmp_path: Path
) -> None:
    """The last of two parts lists both; foreign files and what was deleted are not in it."""
    for part in ("1/2", "2/2"):
        assert generate("--shard", part).code == 0
    out = tmp_path / "out"
    assert [one["conditioning"]["prompt"] for one in listed(out)].count("kick") == 2
    assert len(listed(out)) == 5
    next(out.glob("?/snare.wav")).unlink()
    (out / "noise.wav").write_bytes(b"mine")
    result = audiogen("manifest", out)
    assert (result.code, result.out) == (0, f"{out / 'manifest.jsonl'}\n"), result.err
    assert sorted(one["file"][2:] for one in listed(out)).count("snare.wav") == 0
    assert len(listed(out)) == 4


def test_a_table_holds_the_same(
    generate: Callable[..., Any], audiogen: Command, tmp_path: Path
) -> None:
    """The Parquet file has a row an output, columns of numbers, and the metadata as a whole."""
    parquet = pytest.importorskip("pyarrow.parquet")
    assert generate(manifest="parquet").code == 0
    out = tmp_path / "out"
    rows = parquet.read_table(out / "manifest.parquet").to_pylist()
    assert audiogen("manifest", out).code == 0
    for row, line in zip(rows, listed(out), strict=True):
        assert row["file"] == line.pop("file")
        assert json.loads(row["metadata"]) == line
        assert row["prompt"] == line["conditioning"]["prompt"]
        assert row["seed"] == line["generation_config"]["seed"] == 1
        assert row["bytes"] == (out / row["file"]).stat().st_size


def test_a_number_beyond_its_column_is_left_out(
    generate: Callable[..., Any], audiogen: Command, tmp_path: Path
) -> None:
    """Metadata may hold whole numbers that no float reaches: they stay in the metadata alone."""
    parquet = pytest.importorskip("pyarrow.parquet")
    assert generate().code == 0
    out = tmp_path / "out"
    for file in out.glob("?/*.json"):
        content = json.loads(file.read_text("utf-8"))
        content["generation_config"]["cfg_scale"] = 10**400
        file.write_text(json.dumps(content), encoding="utf-8")
    assert audiogen("manifest", out, "--format", "parquet").code == 0
    rows = parquet.read_table(out / "manifest.parquet").to_pylist()
    assert {row["cfg_scale"] for row in rows} == {None}
    assert json.loads(rows[0]["metadata"])["generation_config"]["cfg_scale"] == 10**400


def test_a_missing_library_is_told_first(
    generate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without pyarrow the config is refused at its place, with what helps."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = generate(manifest="parquet")
    assert result.code == 2
    assert "output.manifest" in result.err
    assert "pip install 'audiogen[parquet]'" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ['{"audio_filepath": "x.wav"}\n', "kick, snare\n", "[]\n"])
def test_a_list_of_something_else_is_left_alone(
    content: str, audiogen: Command, tmp_path: Path
) -> None:
    """Others call their lists so, too."""
    path = tmp_path / "manifest.jsonl"
    path.write_text(content, encoding="utf-8")
    result = audiogen("manifest", tmp_path)
    assert (result.code, result.out) == (2, "")
    assert f"{path}: exists already and is no list of outputs: move it away" in result.err
    assert path.read_text(encoding="utf-8") == content


def test_what_only_shares_a_name_is_no_output(
    generate: Callable[..., Any], audiogen: Command, tmp_path: Path
) -> None:
    """Such as the embedding of a sound, beside the sound and its metadata."""
    assert generate(shard_dirs=None).code == 0
    out = tmp_path / "out"
    before = listed(out)
    (out / "hat.npy").write_bytes(b"an embedding")
    assert audiogen("manifest", out).code == 0
    assert listed(out) == before


def test_a_list_is_made_while_others_go_on(tmp_path: Path) -> None:
    """It does not wait for them: they make their own at their end."""
    ended, adding = threading.Event(), threading.Event()

    def add() -> None:
        for number in count():
            (tmp_path / f"{number}.wav").write_bytes(b"of another run")
            adding.set()
            if ended.wait(0.001):
                return

    other = threading.Thread(target=add)
    other.start()
    adding.wait()
    try:
        path = write_manifest(tmp_path, "jsonl")
    finally:
        ended.set()
        other.join()
    assert path.read_bytes() == b""


def test_both_formats_side_by_side(generate: Callable[..., Any], tmp_path: Path) -> None:
    """The switch counts beside an observer that makes the other format."""
    pytest.importorskip("pyarrow")
    result = generate(manifest="parquet", observers=["manifest"])
    assert result.code == 0, result.err
    assert {path.name for path in (tmp_path / "out").glob("manifest.*")} == {
        "manifest.jsonl",
        "manifest.parquet",
    }
