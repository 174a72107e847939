"""The report of an output folder: what it is made from, and when."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from audiogen_core.hooks import PluginWarning
from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import decode, tones
from audiogen_plugins.encoders.wav import WavFloat
from audiogen_plugins.observers.report.measured import ROWS, measure
from tests.conftest import Command, audiogen_process, local_model
from tests.reports import RATE, metadata, shown_by, sine, write_audio

ROOT = Path(__file__).parents[2]
ALSO_WITHOUT_CODECS = ("wav", "flac 24", "mp3 128k", "ogg opus 96k", "m4a aac 128k")
"""Formats that every machine can write, one of each container."""


def pixels(spectrogram: str) -> Any:
    """The brightness of a spectrogram, ``[rows, columns]``."""
    content = base64.b64decode(spectrogram.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"), np.float64)


# What is measured


def test_levels_are_those_of_the_sound() -> None:
    """A 997 Hz sine in two channels has, by BS.1770, its peak's level as its loudness."""
    found = measure(sine(997, 10 ** (-20 / 20)), RATE)
    assert (found.seconds, found.channels, found.sample_rate) == (2.0, 2, RATE)
    assert found.peak == pytest.approx(-20, abs=0.1)
    assert found.rms == pytest.approx(-23, abs=0.1)
    assert found.loudness == pytest.approx(-20, abs=0.2)


@pytest.mark.parametrize(("channels", "has_loudness"), [(8, True), (9, False)])
def test_more_channels_than_stereo_can_be_measured(channels: int, has_loudness: bool) -> None:
    """Loudness is defined for up to eight."""
    found = measure(np.tile(sine(997, 0.1)[:1], (channels, 1)), RATE)
    assert found.channels == channels
    assert (found.loudness is not None) == has_loudness


@pytest.mark.parametrize("samples", [1, 2, 199, 2048, 10 * RATE])
def test_any_length_can_be_measured(samples: int) -> None:
    """From one sample on there is a picture; below 400 ms there is no loudness."""
    found = measure(np.full((1, samples), 0.25, np.float32), RATE)
    assert (found.loudness is None) == (samples < 0.4 * RATE)
    assert found.peak == pytest.approx(-12.0, abs=0.1)
    assert pixels(found.spectrogram).shape[0] == ROWS


def test_silence_has_no_level() -> None:
    """There is no number for it, rather than a wrong one."""
    found = measure(np.zeros((2, RATE), np.float32), RATE)
    assert (found.loudness, found.rms, found.peak) == (None, None, None)
    assert pixels(found.spectrogram).max() < 40


def test_a_spectrogram_shows_pitch_upwards_and_time_to_the_right() -> None:
    """A low tone and then a high one: a bright row below on the left, above on the right."""
    audio = np.concatenate([sine(110), sine(7040)], axis=1)
    picture = pixels(measure(audio, RATE).spectrogram)
    left, right = np.hsplit(picture, 2)
    low, high = (int(half.mean(axis=1).argmax()) for half in (left, right))
    assert low > 0.75 * ROWS
    assert high < 0.25 * ROWS
    assert left[high].mean() < 0.5 * left[low].mean()


def test_a_waveform_shows_its_lowest_and_highest_samples() -> None:
    """A pulse upwards in the first half and one downwards in the second."""
    audio = np.zeros((1, RATE), np.float32)
    audio[0, RATE // 4], audio[0, 3 * RATE // 4] = 1.0, -0.5
    content = np.frombuffer(base64.b64decode(measure(audio, RATE).wave), np.int8)
    lowest, highest = content.reshape(-1, 2).T
    assert (highest.argmax(), highest.max()) == (50, 127)
    assert (lowest.argmin(), lowest.min()) == (150, -64)


# What a page is made from


@pytest.mark.parametrize("file_format", ALSO_WITHOUT_CODECS)
def test_a_folder_without_metadata_files_is_read_from_the_tags(
    file_format: str, tmp_path: Path, audiogen: Command
) -> None:
    """Every container's own tags tell the prompt, the settings and how to make it again."""
    content = metadata("Regen, ganz nah: «plitsch»", 2**62 + 1, cfg_scale=7.0)
    path = write_audio(tmp_path / "a", tones(1), content, file_format)
    result = audiogen("report", tmp_path)
    assert (result.code, result.out) == (0, f"{tmp_path / 'report.html'}\n"), result.err
    [output] = shown_by(tmp_path / "report.html")["outputs"]
    assert (output["file"], output["url"]) == (path.name, path.name)
    assert output["prompt"] == "Regen, ganz nah: «plitsch»"
    assert output["seed"] == str(2**62 + 1)
    assert output["settings"]["cfg_scale"] == "7.0"
    assert output["recipe"]["sample"].endswith('"steps": 8, "cfg_scale": 7.0')
    assert output["measured"]["seconds"] == pytest.approx(decode(path)[0].shape[1] / RATE, abs=0.1)


def test_metadata_beside_a_file_says_which_it_is(tmp_path: Path, audiogen: Command) -> None:
    """It counts more than tags, also for formats of plugins that nobody here has seen."""
    write_audio(tmp_path / "a", tones(0.5), metadata("tagged"))
    (tmp_path / "a.json").write_text(json.dumps(metadata("beside")))
    shutil.copy(tmp_path / "a.wav", tmp_path / "b.sound")
    (tmp_path / "b.json").write_text(json.dumps(metadata("of a guest")))
    (tmp_path / "c.sound").write_text("nobody knows what this is")
    assert audiogen("report", tmp_path).code == 0
    outputs = shown_by(tmp_path / "report.html")["outputs"]
    assert [one["prompt"] for one in outputs] == ["beside", "of a guest"]


def test_what_cannot_be_read_is_shown_as_that(tmp_path: Path, audiogen: Command) -> None:
    """A damaged file, hostile metadata and a link to nothing cost no other output its place."""
    write_audio(tmp_path / "good", tones(0.5), metadata())
    (tmp_path / "bad.wav").write_bytes(b"RIFF\0\0\0\0WAVEnothing of the kind")
    (tmp_path / "good.json").write_text("[" * 100_000)
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "folder.wav").mkdir()
    result = audiogen("report", tmp_path)
    assert result.code == 0, result.err
    outputs = {one["file"]: one for one in shown_by(tmp_path / "report.html")["outputs"]}
    assert set(outputs) == {"good.wav", "bad.wav"}
    assert outputs["bad.wav"]["measured"] is None
    assert outputs["bad.wav"]["problem"] == "Invalid data found when processing input"
    assert outputs["good.wav"]["measured"]["seconds"] == 0.5
    assert outputs["good.wav"]["prompt"] == "rain"


@pytest.mark.parametrize(
    "change",
    [
        {"generation_config": {}}, {"conditioning": {"prompt": 3}}, {"model": "mine"},
        {"conditioning": {"prompt": "half \ud800", "x": [1, {"y": None}]}}, {"output": []},
        {"generation_config": {"seed": "s"}}, {"software": None}, {"file_format": {}},
        {"conditioning": {"seed": 3}}, {"identity": []}, {"batch": 1},
        {"generation_config": {"cfg_scale": 10**400}},
    ],
)  # fmt: skip
def test_any_metadata_makes_a_page(
    change: dict[str, Any], tmp_path: Path, audiogen: Command
) -> None:
    """Whatever a file claims: what cannot be used is left out, and the page is made."""
    write_audio(tmp_path / "a", tones(0.1), metadata())
    (tmp_path / "a.json").write_text(json.dumps({**metadata(), **change}))
    assert audiogen("report", tmp_path).code == 0
    assert len(shown_by(tmp_path / "report.html")["outputs"]) == 1


def test_a_second_report_measures_only_what_is_new(
    tmp_path: Path, audiogen: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page itself remembers, by name, size and time; where nothing is new it is left alone."""
    for name in "ab":
        write_audio(tmp_path / name, tones(0.5), metadata(name))
    page = tmp_path / "report.html"
    assert audiogen("report", tmp_path).code == 0
    first = shown_by(page)
    seen: list[str] = []

    def read(path: Path) -> Any:
        seen.append(path.name)
        return original(path)

    from audiogen_plugins.observers.report import folder

    original = folder.read_sound
    monkeypatch.setattr(folder, "read_sound", read)
    before = page.stat().st_mtime_ns
    assert audiogen("report", tmp_path).code == 0
    assert (seen, page.stat().st_mtime_ns) == ([], before)
    write_audio(tmp_path / "b", tones(0.7), metadata("b"))
    assert audiogen("report", tmp_path).code == 0
    assert seen == ["b.wav"]
    second = shown_by(page)
    assert second["outputs"][0] == first["outputs"][0]
    assert second["outputs"][1]["measured"]["seconds"] == 0.7


def test_a_hostile_page_is_not_believed(tmp_path: Path, audiogen: Command) -> None:
    """What an earlier page says is used only where it can be shown."""
    write_audio(tmp_path / "a", tones(0.5), metadata())
    page = tmp_path / "report.html"
    assert audiogen("report", tmp_path).code == 0
    whole = page.read_text("utf-8")
    for old, new in (
        ("data:image/webp;base64,", "https://example.org/"),
        ('"rms":', '"rms":1e999,"was":'),
        ('"seconds":0.5', '"seconds":NaN'),
        ('"seconds":0.5', f'"seconds":1{"0" * 400}'),
        ('"state":[', f'"state":[1,"{"1" * 5000}"],"was":['),
        ('{"folder"', "[" * 50_000),
    ):
        assert old in whole
        page.write_text(whole.replace(old, new), "utf-8")
        assert audiogen("report", tmp_path).code == 0
        assert page.read_text("utf-8") == whole


def test_something_else_of_its_name_is_left_alone(tmp_path: Path, audiogen: Command) -> None:
    """A ``report.html`` that is no report is an error, and stays as it is."""
    (tmp_path / "report.html").write_text("<h1>Sales</h1>")
    result = audiogen("report", tmp_path)
    assert result.code == 2
    assert "report.html: exists already and is no report" in result.err
    assert (tmp_path / "report.html").read_text() == "<h1>Sales</h1>"


def test_a_folder_that_is_none_is_an_error(tmp_path: Path, audiogen: Command) -> None:
    """One message, and exit code 2."""
    result = audiogen("report", tmp_path / "nowhere")
    assert (result.code, result.out) == (2, "")
    assert result.err == f"error: '{tmp_path / 'nowhere'}' is not a folder\n"


def test_a_page_is_safe_and_asks_for_nothing(tmp_path: Path, audiogen: Command) -> None:
    """No prompt ends the data's element, and no address is loaded from."""
    write_audio(tmp_path / "a", tones(0.2), metadata("</script><script>alert(1)</script><!--"))
    write_audio(tmp_path / "b", tones(0.2), metadata("{{script}} {{style}} \u2028"))
    assert audiogen("report", tmp_path).code == 0
    text = (tmp_path / "report.html").read_text("utf-8")
    assert text.count("</script>") == 2
    assert "alert(1)</" not in text
    prompts = [one["prompt"] for one in shown_by(tmp_path / "report.html")["outputs"]]
    assert prompts == ["</script><script>alert(1)</script><!--", "{{script}} {{style}} \u2028"]
    assert not re.search(r'(src|href)="(?!#)|url\(|@import|https?:', text)


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are Unicode there")
def test_names_that_are_no_text_are_shown_and_found(tmp_path: Path, audiogen: Command) -> None:
    """What POSIX allows as a name makes a page, with an address that leads to the file."""
    path = write_audio(tmp_path / "a #1?%", tones(0.2), metadata())
    path.rename(tmp_path / os.fsdecode(b"x\xff #1?%:.wav"))
    assert audiogen("report", tmp_path).code == 0
    [output] = shown_by(tmp_path / "report.html")["outputs"]
    assert output["url"] == "x%FF%20%231%3F%25%3A.wav"
    assert output["file"] == "x\ufffd #1?%:.wav"


# Reports of runs


def test_a_run_makes_its_report(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """``output.report`` makes the page, also where all stands already, with what failed."""
    out = tmp_path / "out"
    (out / "snare.cfg7.0.1.wav").mkdir(parents=True)
    samples = {"type": "config", "samples": [{"prompt": "kick"}, {"prompt": "snare"}]}
    config = write_config(input=samples, output={"report": True})
    arguments = ["generate", *local_model(tiny_model), "--generation-config", config]
    assert audiogen(*arguments, "--on-existing", "overwrite").code == 3
    data = shown_by(out / "report.html")
    [output], [failure] = data["outputs"], data["failures"]
    assert (output["prompt"], output["seed"]) == ("kick", "1")
    assert (failure["prompt"], failure["file"]) == ("snare", "snare.cfg7.0.1")
    assert failure["cause"].startswith("IsADirectoryError")
    audio, rate = decode(out / "kick.cfg7.0.1.wav")
    assert output["measured"]["seconds"] == pytest.approx(audio.shape[1] / rate, abs=1e-4)
    # What is told of tags and of metadata files is the same.
    told = json.loads((out / "kick.cfg7.0.1.json").read_text("utf-8"))["software"]["plugins"]
    assert told["observer report"].startswith("audiogen ")

    (out / "snare.cfg7.0.1.wav").rmdir()
    assert audiogen(*arguments).code == 0
    data = shown_by(out / "report.html")
    assert [one["prompt"] for one in data["outputs"]] == ["kick", "snare"]
    assert data["failures"] == []

    (out / "report.html").unlink()
    again = audiogen(*arguments)
    assert (again.code, again.out) == (0, "")
    assert "generating" not in again.err
    assert again.err.endswith(f"note: the report is {out / 'report.html'}\n")
    assert len(shown_by(out / "report.html")["outputs"]) == 2


def test_a_report_that_fails_costs_nothing(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """The audio is written, the exit code is 0, and a warning says what went wrong."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("mine")
    config = write_config(output={"report": True})
    arguments = ["generate", *local_model(tiny_model), "--generation-config", config]
    with warnings.catch_warnings():
        warnings.simplefilter("always", PluginWarning)
        result = audiogen(*arguments)
    assert result.code == 0
    assert "warning: observer 'report' of audiogen" in result.err
    assert "exists already and is no report" in result.err
    assert Path(result.out.strip()).exists()
    assert (tmp_path / "out" / "report.html").read_text() == "mine"


def test_an_interrupted_run_has_a_report(
    tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """Ctrl-C ends the run with a page of what was made until then."""
    samples = {"type": "config", "samples": [{"prompt": f"take {n}"} for n in range(500)]}
    config = write_config(input=samples, output={"report": True})
    command = [sys.executable, "-m", "audiogen_cli", "generate", *local_model(tiny_model),
               "--generation-config", str(config), "--max-batch", "1"]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    shown = shown_by(tmp_path / "out" / "report.html")["outputs"]
    made = sorted(path.name for path in (tmp_path / "out").glob("*.wav"))
    assert made
    assert sorted(one["file"] for one in shown) == made


def test_a_stop_while_the_report_is_made_is_told_as_that(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Exit code 130, what was written is counted, and nothing half made is left."""

    def stopped(*_: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        time.sleep(60)

    monkeypatch.setattr("audiogen_plugins.observers.report.folder.page", stopped)
    config = write_config(output={"report": True})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 130
    assert "interrupted: 1 written, 0 left" in result.err
    names = {path.suffix for path in (tmp_path / "out").iterdir()}
    assert names == {".wav", ".json", ""}


@pytest.mark.parametrize("output", [{"report": True}, {"observers": ["report"]}])
def test_without_pillow_nothing_is_started(
    output: dict[str, Any], write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """The message names the place and what to install, before any model is looked for."""
    (tmp_path / "lacking" / "PIL").mkdir(parents=True)
    (tmp_path / "lacking" / "PIL" / "__init__.py").write_text("raise ImportError('none here')")
    path = os.pathsep.join([str(tmp_path / "lacking"), os.environ.get("PYTHONPATH", "")])
    config = write_config(output=output)
    arguments = ["generate", *local_model(tmp_path / "no model"), "--generation-config", config]
    result = audiogen_process(*arguments, PYTHONPATH=path)
    place = "output.report" if "report" in output else "output.observers[0]"
    assert result.code == 2
    assert f"{place}: the report's pictures need Pillow" in result.err
    assert "pip install 'audiogen[report]'" in result.err
    assert "no model" not in result.err
    assert not (tmp_path / "out").exists()
    alone = audiogen_process("report", tmp_path, PYTHONPATH=path)
    assert alone.code == 2
    assert "pip install 'audiogen[report]'" in alone.err


@pytest.mark.slow
def test_the_wheel_holds_the_page(tmp_path: Path) -> None:
    """All files that the page is made of are installed with the package."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
               "--no-build-isolation", "--no-index", "--wheel-dir", tmp_path, ROOT]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    template = Path("audiogen_plugins/observers/report/template")
    here = {path.name for path in (ROOT / "plugins" / template).iterdir()}
    names = zipfile.ZipFile(wheel).namelist()
    assert {Path(name).name for name in names if Path(name).parent == template} == here


def test_tags_in_another_encoding_cost_nothing(tmp_path: Path, audiogen: Command) -> None:
    """Titles in Latin-1 are common in old files; the sound is measured all the same."""
    path = write_audio(tmp_path / "a", tones(0.5), metadata("Fur Elise"))
    path.write_bytes(path.read_bytes().replace(b"Fur Elise", b"F\xfcr Elise"))
    assert audiogen("report", tmp_path).code == 0
    [output] = shown_by(tmp_path / "report.html")["outputs"]
    assert output["measured"]["seconds"] == 0.5
    assert output["seed"] == str(metadata()["generation_config"]["seed"])


def test_the_command_rounds_as_it_did(tmp_path: Path, audiogen: Command) -> None:
    """What was made with 8-bit weights is made again with them."""
    content = metadata()
    content["model"]["quantize"] = "int8"
    write_audio(tmp_path / "a", tones(0.5), content)
    assert audiogen("report", tmp_path).code == 0
    assert "--quantize int8" in json.dumps(shown_by(tmp_path / "report.html"))


def test_sounds_beyond_all_measure_are_shown_as_what_they_are(
    tmp_path: Path, audiogen: Command
) -> None:
    """Infinite samples, and a codec that nobody knows, cost no other output its place."""
    write_audio(tmp_path / "good", tones(0.5), metadata())
    WavFloat().encode(np.full((1, 9000), 0.5, np.float32), RATE, tmp_path / "loud.wav", Tags())
    loud = (tmp_path / "loud.wav").read_bytes()
    half = np.full(2, 0.5, np.float32).tobytes()
    beyond = np.array([np.inf, -3e38], np.float32).tobytes()
    (tmp_path / "loud.wav").write_bytes(loud.replace(half, beyond, 1))
    content = bytearray((tmp_path / "good.wav").read_bytes())
    content[20:22] = b"\x34\x12"
    (tmp_path / "odd.wav").write_bytes(content)
    result = audiogen("report", tmp_path)
    assert result.code == 0, result.err
    outputs = {one["file"]: one for one in shown_by(tmp_path / "report.html")["outputs"]}
    assert outputs["loud.wav"]["measured"]["peak"] == 120
    assert outputs["odd.wav"]["problem"] == "ValueError: holds no audio"
    assert outputs["good.wav"]["measured"]["seconds"] == 0.5
