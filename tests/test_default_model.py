"""The model that ships with the package makes what prompts say: its sounds are measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core.default_model import FOLDER, NAME, SUGGESTED
from audiogen_core.testing.encoders import decode
from audiogen_training.evaluation import measures
from audiogen_training.sounds.dsp import Signal
from tests.conftest import Command, Result, audiogen_process

RATE = 44100
PROMPTS: Mapping[str, float] = {
    "sine wave at A4": 1.5,
    "a plucked string playing the note C3": 1.5,
    "organ at E4": 1.5,
    "bass at E2": 2.0,
    "saw wave G3": 2.0,
    "kick drum": 1.0,
    "closed hi-hat": 1.0,
    "rising sweep": 2.0,
    "falling sweep": 2.0,
    "a low square wave": 1.5,
    "a high square wave": 1.5,
    "a short bell": 3.0,
    "a long bell": 3.0,
    "a house beat at 120 bpm": 4.0,
    "four on the floor, 140 bpm": 4.0,
}
"""What is asked for, and the lengths in seconds."""


def generate(folder: Path, samples: list[dict[str, Any]], **generation: Any) -> Result:
    """Runs the command without naming a model; the files are called like the prompts."""
    config = {
        "generation": {**SUGGESTED["generation"], "seed": 7, **generation},
        "conditioning_defaults": {"seconds_start": 0},
        "input": {"type": "config", "samples": samples},
        "output": {"output_dir": str(folder), "file_naming": "prompt"},
    }
    return audiogen_process(
        "generate", "--generation-config", "-", stdin=json.dumps(config).encode()
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A run of all prompts, and its folder."""
    folder = tmp_path_factory.mktemp("default")
    samples = [{"prompt": prompt, "seconds_total": of} for prompt, of in PROMPTS.items()]
    return generate(folder, samples), folder


@pytest.fixture
def sounds(run: tuple[Result, Path]) -> dict[str, Signal]:
    """What the prompts became, mono."""
    result, folder = run
    assert result.code == 0, result.err
    found = {}
    for prompt in PROMPTS:
        audio, rate = decode(folder / f"{prompt}.wav")
        assert rate == RATE
        found[prompt] = audio.mean(0)
    return found


def test_the_run_says_which_model_it_uses(run: tuple[Result, Path]) -> None:
    """Who names no model is told which one it is, and so is the metadata."""
    result, folder = run
    assert f"using {NAME}, which ships with audiogen" in result.err
    metadata = json.loads((folder / "kick drum.json").read_text())
    assert metadata["model"]["default_model"] == NAME


def test_too_much_guidance_is_told(audiogen: Command, tmp_path: Path) -> None:
    """Who leaves the scale out has that of large models, which makes other sounds of this one."""
    config = tmp_path / "config.json"
    samples = {"type": "config", "samples": [{"prompt": "rain", "seconds_total": 1}]}
    for generation, told in ({}, True), ({"cfg_scale": 3}, False):
        config.write_text(json.dumps({"generation": generation, "input": samples}))
        result = audiogen("plan", "--generation-config", config)
        assert result.code == 0, result.err
        said = f"note: {NAME} follows prompts best with cfg_scale 3 and cfg_interval [0.5, 1]; "
        assert (f"{said}generation.cfg_scale is 7\n" in result.err) == told


def test_sounds_have_their_lengths(sounds: dict[str, Signal]) -> None:
    """Each file lasts as long as it was asked to, and has a peak at full scale."""
    for prompt, seconds in PROMPTS.items():
        assert len(sounds[prompt]) == round(seconds * RATE)
        assert np.abs(sounds[prompt]).max() > 0.9


@pytest.mark.parametrize(
    ("prompt", "hertz"),
    [
        ("sine wave at A4", 440.0),
        ("a plucked string playing the note C3", 130.81),
        ("organ at E4", 329.63),
        ("bass at E2", 82.41),
        ("saw wave G3", 196.0),
    ],
)
def test_notes_are_played(sounds: dict[str, Signal], prompt: str, hertz: float) -> None:
    """A note that the prompt names is heard within a semitone."""
    assert 12 * abs(np.log2(measures.pitch(sounds[prompt]) / hertz)) < 1


def test_drums_have_their_place(sounds: dict[str, Signal]) -> None:
    """A kick lies below every tone, a hi-hat above."""
    heights = {prompt: measures.centroid(sound) for prompt, sound in sounds.items()}
    assert heights["kick drum"] < 300
    assert heights["closed hi-hat"] > 3000


def test_sweeps_go_where_they_should(sounds: dict[str, Signal]) -> None:
    """With the same seed, by the prompt alone."""
    assert measures.slope(sounds["rising sweep"]) > 0.5
    assert measures.slope(sounds["falling sweep"]) < -0.5


def test_loops_keep_their_tempo(sounds: dict[str, Signal]) -> None:
    """That which the prompt names, within 3 %."""
    for prompt, tempo in ("a house beat at 120 bpm", 120), ("four on the floor, 140 bpm", 140):
        assert measures.tempo(sounds[prompt]) == pytest.approx(tempo, rel=0.03)


def test_words_order_sounds(sounds: dict[str, Signal]) -> None:
    """Low is below high, and short is over before long."""
    low, high = (measures.centroid(sounds[f"a {word} square wave"]) for word in ("low", "high"))
    assert low < 0.5 * high
    short, long = (measures.t40(sounds[f"a {word} bell"]) for word in ("short", "long"))
    assert short < 0.7 * long


def test_the_model_is_small() -> None:
    """The folder with weights, tokenizer and text encoder takes 25 MB at most."""
    assert sum(one.stat().st_size for one in FOLDER.rglob("*") if one.is_file()) <= 25e6
