"""``audiogen show``: how a file was made, from its metadata or its tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.tags import tags_of
from tests.conftest import Command

CONTENT: dict[str, Any] = {
    "generation_config": {
        "steps": 25, "cfg_scale": 3.0, "batch_size": 1, "sampler_type": "euler", "seed": 7,
        "cfg_interval": [0, 1],
    },
    "conditioning": {
        "prompt": "a rising siren that goes on and on for longer than one line of text can be",
        "seconds_start": 0, "seconds_total": 0.5, "negative_prompt": None,
        "audio_prompt": "/a/b.npy",
    },
    "sample_rate": 44100,
    "file_format": "flac",
    "model_config": {"sample_rate": 44100, "sample_size": 180224, "model_type": "diffusion_cond"},
    "model": {"model_config": "/m/model_config.json", "ckpt_path": "/m/model.safetensors",
              "fingerprint": "12", "conditioners": {}},
    "output": {
        "seconds": 0.5, "channels": 1, "cut_to_seconds_total": True,
        "post_processing": [
            {"name": "loudness", "lufs": -20.0, "true_peak": -1.0}, {"name": "trim"},
        ],
    },
    "identity": "0f5c9d1e7ab24c6a8e3d2b1c0a9f8e7d",
    "batch": {"size": 4, "index": 2, "others": [{"at": [0, 3], "conditioning": {"prompt": "x"}}]},
    "software": {"audiogen": "0.1.0", "device": "cpu", "dtype": "float32",
                 "plugins": {"sampler": "audiogen 0.1.0", "encoder": "mine 2", "naming": "mine 2"}},
}  # fmt: skip
AUDIO = np.sin(np.arange(22050)[None] / 30).astype(np.float32) / 2


def write(path: Path, encoder: str = "flac", content: Any = CONTENT) -> Path:
    """Writes an audio file with metadata in its tags, and none beside it."""
    one = installed_plugins().encoders.load(encoder)()
    one.encode(AUDIO, 44100, path, tags_of(content))
    return path


def write_beside(path: Path, content: Any = CONTENT) -> None:
    """Writes the metadata beside an audio file."""
    size = path.stat().st_size
    whole = {**content, "output": {**content["output"], "bytes": size}}
    path.with_suffix(".json").write_text(json.dumps(whole), encoding="utf-8")


TEXT = """\
x.flac
  prompt          a rising siren that goes on and on for longer than one line of
                  text can be
  seconds start   0
  seconds total   0.5
  audio prompt    /a/b.npy
  seed            7
  sampler         euler, 25 steps, cfg_scale 3.0
  settings        batch_size 1, cfg_interval [0, 1]
  model           {model}
  format          flac, 0.5 s, 44100 Hz, mono
  post-processing loudness (lufs -20, true_peak -1), trim
  batch           number 3 of 4
  made by         audiogen 0.1.0, on cpu, in float32, encoder of mine 2{naming}
  identity        0f5c9d1e7ab24c6a8e3d2b1c0a9f8e7d
  told by         {origin}
"""


def test_what_stands_beside_is_told_in_words(
    tmp_path: Path, audiogen: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it on 80 columns; the JSON beside tells more than the tags: folders, and who named."""
    monkeypatch.chdir(tmp_path)
    path = write(Path("x.flac"))
    tags = TEXT.format(model="model.safetensors", naming="", origin="the tags of x.flac")
    assert audiogen("show", path).out == tags
    write_beside(path)
    beside = TEXT.format(
        model="/m/model.safetensors",
        naming=", naming\n                  of mine 2",
        origin="x.json",
    )
    result = audiogen("show", path)
    assert (result.code, result.out, result.err) == (0, beside, "")
    assert max(map(len, beside.splitlines())) <= 80
    # By the metadata's own name, and of several a blank line between them.
    result = audiogen("show", "x.json", path)
    assert result.out == f"{beside.replace('x.flac', 'x.json', 1)}\n{beside}"


@pytest.mark.parametrize(
    "encoder", list(installed_plugins().encoders.classes()), ids=lambda one: one.NAME
)
def test_every_format_tells_it_alone(
    encoder: type[Encoder], tmp_path: Path, audiogen: Command
) -> None:
    """The whole metadata comes out of the tags as JSON, without folders and others' prompts."""
    try:
        encoder().check(44100, 1)
    except EncoderUnavailableError as error:
        pytest.skip(str(error).splitlines()[0])
    path = write(tmp_path / f"x{encoder.EXTENSION}", encoder.NAME)
    result = audiogen("show", "--json", path)
    assert (result.code, result.err) == (0, "")
    (line,) = result.out.splitlines()
    model = {
        **CONTENT["model"],
        "model_config": "model_config.json",
        "ckpt_path": "model.safetensors",
    }
    plugins = {"sampler": "audiogen 0.1.0", "encoder": "mine 2"}
    batch = {"size": 4, "index": 2}
    software = {**CONTENT["software"], "plugins": plugins}
    assert json.loads(line) == {**CONTENT, "model": model, "batch": batch, "software": software}


def test_metadata_of_another_file_is_not_believed(tmp_path: Path, audiogen: Command) -> None:
    """What stands beside, of another size and identity than the tags, describes something else."""
    path = write(tmp_path / "x.flac")
    other = {**CONTENT, "identity": "ff", "conditioning": {"prompt": "rain"}}
    path.with_suffix(".json").write_text(json.dumps(other), encoding="utf-8")
    assert "a rising siren" in audiogen("show", path).out
    write_beside(path, other)  # and of the same size
    assert "a rising siren" in audiogen("show", path).out
    # Of the same identity it is the file's own, though somebody has changed the tags since.
    write_beside(path)
    path.write_bytes(path.read_bytes() + b"\\0")
    assert str(path.with_suffix(".json")) in audiogen("show", path).out.split()


def cut(path: Path) -> None:
    """Cuts the metadata beside."""
    write_beside(path)
    file = path.with_suffix(".json")
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: path.unlink(missing_ok=True), "{path}: does not exist"),
        (lambda path: path.mkdir(), "{path}: is a folder, not an audio file"),
        (lambda path: path.write_text("Dear diary"), "{path}: is no audio file"),
        (lambda path: path.write_bytes(b""), "{path}: is no audio file"),
        (lambda path: write(path, content={**CONTENT, "software": {"audiogen": "\0" * 9}})
         and path.write_bytes(path.read_bytes().replace(b"audiogen=", b"audiogem=")),
         "{path}: holds no metadata in its tags, and no 'x.flac'"),
        (lambda path: write(path) and path.write_bytes(
            path.read_bytes().replace(b'"steps": 25', b'"steps": 2\x22')),
         "the tags of {path}: line 1, column 34: not valid JSON"),
        (lambda path: write(path, content={**CONTENT, "batch": {"size": 2, "index": 2}}),
         "the tags of {path}: batch.index: must be less than the batch's size, 2"),
        (lambda path: write(path, content={**CONTENT, "batch": {"size": 10**9, "index": 0}}),
         "the tags of {path}: batch.size: must be at most 2000000, not 1000000000"),
        (lambda path: path.write_text("x") and cut(path), "{json}: line 1, column "),
    ],
)  # fmt: skip
def test_what_cannot_be_told(prepare: Any, message: str, tmp_path: Path, audiogen: Command) -> None:
    """One message each, exit code 2; the other files are shown."""
    path = tmp_path / "x.flac"
    prepare(path)
    good = write(tmp_path / "good.wav", "wav")
    result = audiogen("show", path, good)
    assert (result.code, result.out.count("\n  prompt ")) == (2, 1)
    expected = message.format(path=path, json=path.with_suffix(".json")).replace(
        "'x.flac'", "'x.json'"
    )
    assert result.err.startswith(f"error: {expected}")
    assert result.err.count("\n") == 1


def test_the_json_of_something_else_is_none(tmp_path: Path, audiogen: Command) -> None:
    """Other people's JSON beside an audio file is passed over, and refused when asked for."""
    path = write(tmp_path / "x.flac")
    other = path.with_suffix(".json")
    other.write_text('{"name": "package"}', encoding="utf-8")
    assert audiogen("show", path).code == 0
    result = audiogen("show", other)
    assert (result.code, result.err) == (2, f"error: {other}: is no metadata of an output\n")


def test_nothing_steers_the_terminal(tmp_path: Path, audiogen: Command) -> None:
    """What a file claims is shown, not obeyed, in words and in JSON."""
    content = {**CONTENT, "conditioning": {"prompt": "\x1b[2J\x9b", "\x1b]0;": "x"}}
    path = write(tmp_path / "x.flac", content=content)
    for arguments in ((), ("--json",)):
        result = audiogen("show", path, *arguments)
        assert result.code == 0
        assert not {"\x1b", "\x9b"} & set(result.out)
        assert "[2J" in result.out


def test_channels_that_are_no_number_are_shown_as_they_are(
    tmp_path: Path, audiogen: Command
) -> None:
    """Metadata is anybody's text."""
    path = write(tmp_path / "x.flac", content={**CONTENT, "output": {"channels": [2]}})
    result = audiogen("show", path)
    assert (result.code, result.err) == (0, "")
    assert "[2] channels" in result.out
