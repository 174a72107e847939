"""Recordings in a config: varied, filled in, told apart by their content, refused where broken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core.models.config import parse_model_config
from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import decode, tones
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from audiogen_plugins.encoders.wav import Wav, WavFloat
from tests.conftest import DATA, Command, Result, local_model

Generate = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that makes a third of a second."""
    config = tiny_config()
    config["sample_size"] = 16384
    return write_tiny_model(tmp_path_factory.mktemp("short"), config)


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """A mono recording of 0.2 seconds at half the model's rate."""
    path = tmp_path / "tone.wav"
    Wav().encode(tones(0.2, 22050, 1), 22050, path, Tags())
    return path


@pytest.fixture
def generate(model: Path, write_config: Callable[..., Path], audiogen: Command) -> Generate:
    """Makes samples with the tiny model."""

    def run(samples: list[dict[str, Any]], *arguments: str, **sections: Any) -> Result:
        written = {"input": {"type": "config", "samples": samples}, **sections}
        config = write_config(**{"conditioning_defaults": {"prompt": "a"}, **written})
        return audiogen("generate", *local_model(model), "--generation-config", config, *arguments)

    return run


def made(result: Result) -> list[Path]:
    """The files of a run that went well."""
    assert result.code == 0, result.err
    return [Path(line) for line in result.out.splitlines()]


@pytest.mark.parametrize("section", ["input", "conditioning_defaults"])
def test_a_tilde_is_the_home_folder(
    generate: Generate, tone: Path, monkeypatch: pytest.MonkeyPatch, section: str
) -> None:
    """Of a sample's path and of a default's; the metadata has the path that was read."""
    monkeypatch.setenv("HOME", str(tone.parent))
    values = {"init_audio": f"~/{tone.name}"}
    if section == "input":
        result = generate([values])
    else:
        result = generate([{}], conditioning_defaults={"prompt": "a", **values})
    (path,) = made(result)
    content = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert content["conditioning"]["init_audio"] == str(tone)


def closeness(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two signals, over what they have in common."""
    length = min(one.shape[1], other.shape[1])
    return float(np.corrcoef(one[0, :length], other[0, :length])[0, 1])


def test_little_noise_stays_near_and_much_leads_away(
    write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """A kick drum of the default model is varied the further, the more noise it gets."""
    generation = {"steps": 8, "cfg_scale": 3.0, "seed": 1}
    defaults = {"prompt": "kick drum", "seconds_total": 0.5}
    config = write_config(
        generation=generation,
        conditioning_defaults=defaults,
        input={"type": "config", "samples": [{}]},
    )
    (kick,) = made(audiogen("generate", "--generation-config", config))
    recorded = decode(kick)[0]
    samples = [{"init_noise_level": level, "seed": 9} for level in (0.05, 0.6, 1)]
    config = write_config(
        generation=generation,
        conditioning_defaults={**defaults, "init_audio": str(kick)},
        input={"type": "config", "samples": samples},
        output={"output_dir": str(tmp_path / "varied")},
    )
    near, between, away = (
        closeness(recorded, decode(path)[0])
        for path in made(audiogen("generate", "--generation-config", config))
    )
    assert near > 0.95
    assert near > between > away
    assert away < 0.6


def test_no_sample_depends_on_its_neighbours(generate: Generate, tone: Path) -> None:
    """In a batch, varied samples are what each is alone, whatever the autoencoder draws."""
    samples: list[dict[str, Any]] = [
        {"prompt": "a", "init_audio": str(tone), "init_noise_level": 0.5},
        {"prompt": "the"},
        {"prompt": "jazz", "init_audio": str(tone), "init_noise_level": 0.5},
        {"prompt": "wind", "init_audio": str(tone), "init_noise_level": 2},
    ]
    audio = {}
    for most in ("1", "4"):
        result = generate(samples, "--max-batch", most, "--on-existing", "overwrite")
        audio[most] = {path.name: decode(path)[0] for path in made(result)}
        assert len(audio[most]) == 4
        for path in made(result):
            path.unlink()
    for name, alone in audio["1"].items():
        noise = np.square(alone - audio["4"][name]).sum()
        assert noise < 1e-5 * np.square(alone).sum(), name


def test_a_table_may_name_recordings(generate: Generate, tone: Path, tmp_path: Path) -> None:
    """Its columns init_audio and init_noise_level vary; the level in force is in the metadata."""
    table = tmp_path / "samples.csv"
    table.write_text(f"prompt,init_audio,init_noise_level\na,{tone},0.5\nthe,{tone},\nwind,,\n")
    paths = made(generate([], input={"type": "csv", "samples_file": str(table)}))
    told = {path.name[0]: json.loads(path.with_suffix(".json").read_text()) for path in paths}
    levels = {name: one["generation_config"].get("init_noise_level") for name, one in told.items()}
    assert levels == {"a": 0.5, "t": 1, "w": None}
    assert told["a"]["conditioning"]["init_audio"] == str(tone)


def test_the_content_of_a_recording_counts(
    generate: Generate, audiogen: Command, tone: Path, tmp_path: Path
) -> None:
    """A copy elsewhere is the same output, other content is another, and `again` says so."""
    sample = {"init_audio": str(tone)}
    (first,) = made(generate([sample]))
    before = first.read_bytes()
    digest = hashlib.sha256(tone.read_bytes()).hexdigest()
    told = json.loads(first.with_suffix(".json").read_text())
    assert told["recordings"] == {"init_audio": digest}
    copy = tmp_path / "copy.wav"
    copy.write_bytes(tone.read_bytes())
    result = generate([{"init_audio": str(copy)}])
    assert (result.code, result.out) == (0, "")
    assert "nothing to do: the output stands" in result.err
    (same,) = made(audiogen("again", first))
    assert same.read_bytes() == before
    assert str(tone) in audiogen("show", first).out

    Wav().encode(tones(0.1, 44100, 2), 44100, tone, Tags())
    result = audiogen("again", first, "--out", tmp_path / "changed")
    assert (
        f"warning: {first} was made from another recording than there is now: init_audio, '{tone}'"
        in result.err
    )
    assert made(result)[0].read_bytes() != before
    result = generate([sample])
    assert result.code == 2, result.err
    assert first.read_bytes() == before
    tone.unlink()
    result = audiogen("again", first, "--out", tmp_path / "gone")
    assert result.code == 2
    assert f"init_audio: file '{tone}' does not exist" in result.err
    assert not (tmp_path / "gone").exists()


def test_a_neighbour_s_recording_need_not_be_there(
    generate: Generate, audiogen: Command, tone: Path, tmp_path: Path
) -> None:
    """Of two that were sampled together, one is made again without what the other varied."""
    other = tmp_path / "other.wav"
    Wav().encode(tones(0.3, 44100, 2), 44100, other, Tags())
    samples = [{"prompt": "a", "init_audio": str(tone)}, {"prompt": "b", "init_audio": str(other)}]
    first, _ = made(generate(samples, "--max-batch", "2"))
    other.unlink()
    (again,) = made(audiogen("again", first))
    assert again.read_bytes() == first.read_bytes()


def test_a_neighbour_may_be_filled_in(
    write_config: Callable[..., Path], audiogen: Command, tone: Path, tmp_path: Path
) -> None:
    """Of a model that inpaints, each of a mixed batch is the same again, what the others fill."""
    case = DATA / "golden" / "inpainting_v"
    values = json.loads((case / "runs.json").read_text())["one-range"]["conditioning"]
    recording = {"inpaint_audio": str(tone), "mask": [[0.1, None]]}
    plain = {key: one for key, one in values.items() if key not in recording}
    config = write_config(
        conditioning_defaults={},
        input={"type": "config", "samples": [plain, {**plain, **recording}, plain]},
        output={"file_format": "wav float"},
    )
    arguments = [*local_model(case), "--generation-config", config, "--max-batch", "3"]
    paths = made(audiogen("generate", *arguments))
    for path in paths:
        (again,) = made(audiogen("again", path))
        assert again.read_bytes() == path.read_bytes()
    tone.unlink()
    (again,) = made(audiogen("again", paths[0], "--out", tmp_path / "without"))
    assert again.read_bytes() == paths[0].read_bytes()
    assert json.loads(again.with_suffix(".json").read_text())["batch"]["size"] == 3


def test_the_mask_counts(
    write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """Of a model that inpaints, no recording and each mask of one make another output."""
    case = DATA / "golden" / "inpainting_v"
    values = json.loads((case / "runs.json").read_text())["one-range"]["conditioning"]
    recording = str(case / values.pop("inpaint_audio"))
    values.pop("mask")
    samples = [
        {**values, "inpaint_audio": recording, "mask": mask}
        for mask in ([[0.1, None]], [[0.05, None]], [[0, 0.05], [0.1, None]])
    ]
    config = write_config(
        conditioning_defaults={}, input={"type": "config", "samples": [values, *samples]}
    )
    paths = made(audiogen("generate", *local_model(case), "--generation-config", config))
    assert len({path.read_bytes() for path in paths}) == 4


def test_a_mask_between_two_latents_is_refused(
    write_config: Callable[..., Path], audiogen: Command
) -> None:
    """It would change nothing; how often latents begin is told."""
    case = DATA / "golden" / "inpainting_v"
    config = parse_model_config(json.loads((case / "model_config.json").read_text()), "")
    latent = config.ratio / config.sample_rate
    values = json.loads((case / "runs.json").read_text())["one-range"]["conditioning"]
    values["inpaint_audio"] = str(case / values["inpaint_audio"])
    for mask in ([[1.2 * latent, 1.8 * latent]], [[0, latent], [0.1 * latent, 0.9 * latent]]):
        samples = [{**values, "mask": mask}]
        path = write_config(conditioning_defaults={}, input={"type": "config", "samples": samples})
        result = audiogen("generate", *local_model(case), "--generation-config", path)
        assert (result.code, result.out) == (2, "")
        assert f"mask: [{len(mask) - 1}] covers none of this model's latents" in result.err
    values["mask"] = [[latent, 1.1 * latent]]
    path = write_config(conditioning_defaults={}, input={"type": "config", "samples": [values]})
    made(audiogen("generate", *local_model(case), "--generation-config", path))


LIST = "#EXTM3U\n#EXTINF:1,\nfile://{}\n#EXT-X-ENDLIST\n"
"""A list of one file."""


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"init_audio": "none.wav"}, "init_audio: file 'none.wav' does not exist"),
        ({"init_audio": 3}, "init_audio: must be the path of an audio file, not 3"),
        ({"init_audio": "x" * 5000}, "init_audio: file 'xxxx"),
        ({"init_audio": "."}, "init_audio: file '.' is no file"),
        ({"init_audio": "text.wav"}, "init_audio: file 'text.wav' cannot be read as audio"),
        ({"init_audio": "list.m3u8"}, "init_audio: file 'list.m3u8' cannot be read as audio"),
        ({"init_audio": "huge.wav"}, "init_audio: file 'huge.wav' is larger than 1024 MiB"),
        (
            {"init_audio": "tone.wav", "init_noise_level": 0.01},
            "init_noise_level: must be",
        ),
        (
            {"init_audio": "tone.wav", "init_noise_level": 2, "sampler_type": "v-ddim"},
            "init_noise_level: must be",
        ),
        ({"init_noise_level": 2}, "init_noise_level: goes with init_audio"),
        ({"inpaint_audio": "tone.wav"}, "inpaint_audio: this model cannot inpaint"),
        ({"mask": [[0, 1]]}, "mask: goes with inpaint_audio"),
        ({"init_audoi": "tone.wav"}, "did you mean 'init_audio'?"),
    ],
)
def test_what_cannot_be_varied_is_refused(
    sample: dict[str, Any],
    message: str,
    generate: Generate,
    tone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the model is loaded, with the place; nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.wav").write_text("no audio at all\n" * 100)
    (tmp_path / "list.m3u8").write_text(LIST.format(tone))
    with (tmp_path / "huge.wav").open("wb") as file:
        file.write(tone.read_bytes())
        file.truncate(2**40)
    result = generate([sample])
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "input.samples[0]" in result.err
    assert "loading the model" not in result.err
    assert not (tmp_path / "out").exists()


def test_a_recording_without_numbers_costs_only_its_sample(
    generate: Generate, tone: Path, tmp_path: Path
) -> None:
    """NaN that a file holds later on fails what is made of it, and nothing else."""
    audio = tones(0.3, 44100, 2)
    audio[:, 12000] = np.nan
    bad = tmp_path / "bad.wav"
    WavFloat().encode(np.zeros_like(audio), 44100, bad, Tags())
    content = bad.read_bytes()
    start = len(content) - audio.nbytes
    bad.write_bytes(content[:start] + audio.T.astype("<f4").tobytes())
    result = generate([{"prompt": "a", "init_audio": str(bad)}, {"init_audio": str(tone)}])
    assert result.code == 3, result.err
    assert f"file '{bad}' holds NaN or infinity" in result.err
    assert len(result.out.splitlines()) == 1


def test_a_level_that_does_nothing_is_told(generate: Generate, tone: Path) -> None:
    """A run's ``init_noise_level`` without any recording is no error, but nor is it passed over."""
    level = {"generation": {"steps": 1, "init_noise_level": 0.5, "seed": 1}}
    note = "init_noise_level does nothing: no sample has init_audio"
    without, beside = generate([{}], **level), generate([{}, {"init_audio": str(tone)}], **level)
    assert (without.code, beside.code) == (0, 0)
    assert note in without.err
    assert note not in beside.err
