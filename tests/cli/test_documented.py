"""The whole configs of the documentation, run as they are written but for steps and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core.testing.encoders import decode
from tests.conftest import Command, local_model, write_embedding_model

CONFIGS = json.loads(
    (Path(__file__).parent.parent / "data" / "documented_configs.json").read_text("utf-8")
)
NAMES = {
    "prompts": [
        "A relaxing jazz piece with piano and saxophone.mp3",
        "Upbeat electronic dance music with heavy bass.mp3",
    ],
    "audio_and_text": [
        "_.ap-reference_audio.cfg7.0.5.wav",
        "A jazz piece with smooth saxophone.ap-reference_audio.cfg7.0.5.wav",
    ],
    "prompts_file": [
        "rain.neg-low quality, distorted.cfg6.0.5.mp3",
        "wind.neg-low quality, distorted.cfg6.0.5.mp3",
    ],
}
SECONDS = 48 * 2048 / 44100
"""As long as the model makes, which is less than all of them ask for."""


@pytest.mark.parametrize("name", CONFIGS)
def test_a_documented_config_makes_what_it_says(
    name: str,
    tiny_model: Path,
    audiogen: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a model that has the conditioners: its files, their names, lengths and metadata."""
    monkeypatch.chdir(tmp_path)
    with_audio = name == "audio_and_text"
    model = write_embedding_model(tmp_path / "model") if with_audio else tiny_model
    config: dict[str, Any] = CONFIGS[name]
    text = json.dumps(config).replace("/path/to/", f"{tmp_path}/")
    (tmp_path / "config.json").write_text(text, "utf-8")
    (tmp_path / "prompts.txt").write_text("rain\nwind\n", "utf-8")
    embedding = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    np.save(tmp_path / "reference_audio.npy", embedding)
    settings = ["--set", "generation.steps=2", "--set", "generation.seed=5"]
    result = audiogen(
        "generate", *local_model(model), "--generation-config", "config.json", *settings
    )
    assert result.code == 0, result.err
    paths = [Path(line) for line in result.out.splitlines()]
    assert [path.name for path in paths] == NAMES[name]
    for path in paths:
        assert path.parent == Path(config["output"]["output_dir"])
        audio, rate = decode(path)
        assert rate == 44100
        assert abs(audio.shape[1] / rate - SECONDS) < 0.1
        content = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert content["generation_config"]["cfg_scale"] == config["generation"]["cfg_scale"]
        assert content["generation_config"]["sampler_type"] == "dpmpp-3m-sde"
        defaults = config["conditioning_defaults"]
        assert content["conditioning"]["seconds_total"] == defaults["seconds_total"]
        assert content["file_format"] == config["output"]["file_format"]
