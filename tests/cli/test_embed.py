"""``audiogen embed``: audio files become the audio prompts that models take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import tones
from audiogen_core.testing.tiny_clap import write_tiny_clap
from audiogen_plugins.encoders.mp3 import Mp3V0
from audiogen_plugins.encoders.wav import Wav, WavFloat
from tests.conftest import Command, local_model, write_embedding_model


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLAP with windows of a second, and embeddings of three numbers."""
    return write_tiny_clap(tmp_path_factory.mktemp("clap"))


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    """A stereo file of 2.2 seconds, and a mono one of 0.4 at another rate, in another format."""
    long, short = tmp_path / "long.wav", tmp_path / "short.mp3"
    Wav().encode(tones(2.2), 44100, long, Tags())
    Mp3V0().encode(tones(0.4, 22050, 1), 22050, short, Tags())
    return [long, short]


def test_a_model_is_conditioned_by_what_it_makes(
    audiogen: Command, clap: Path, sounds: list[Path], tmp_path: Path,
    write_config: Callable[..., Path],
) -> None:  # fmt: skip
    """A row a window, the files of different audio differ, and so does what a model makes."""
    out, model = tmp_path / "embeddings", write_embedding_model(tmp_path / "model")
    result = audiogen("embed", *sounds, "--out", out, "--set", f"model={clap}")
    assert (result.code, result.out) == (0, f"{out / 'long.npy'}\n{out / 'short.npy'}\n")
    long, short = (np.load(out / f"{name}.npy") for name in ("long", "short"))
    assert (long.dtype, long.shape, short.shape) == (np.float32, (3, 3), (1, 3))
    assert np.allclose(np.linalg.norm(long, axis=1), 1, atol=1e-5)
    again = audiogen("embed", *sounds, "--out", out, "--set", "hop=0.5", "--json",
                     "--set", f"model={clap}", "--overwrite")  # fmt: skip
    rows = [json.loads(line) for line in again.out.splitlines()]
    assert [(row["status"], row["shape"]) for row in rows] == [("written", [4, 3]),
                                                               ("written", [1, 3])]  # fmt: skip
    assert np.array_equal(np.load(out / "long.npy")[::2], long[:2])
    samples = [
        {"prompt": "wind", "audio_prompt": str(out / f"{name}.npy")} for name in ("long", "short")
    ]
    config = write_config(input={"type": "config", "samples": samples})
    result = audiogen("generate", "--generation-config", config, *local_model(model))
    assert result.code == 0, result.err
    first, second = (path.read_bytes() for path in sorted((tmp_path / "out").glob("*.wav")))
    assert first != second


def test_what_stands_is_left_alone(
    audiogen: Command, clap: Path, sounds: list[Path], tmp_path: Path
) -> None:
    """No model is loaded for nothing; a file that cannot be embedded costs only itself."""
    (tmp_path / "long.npy").write_bytes(b"mine")
    one = audiogen("embed", sounds[0], "--out", tmp_path, "--set", "model=nowhere")
    assert (one.code, one.out) == (0, "")
    assert "long.npy stands already; --overwrite makes it again" in one.err
    broken = tmp_path / "broken.wav"
    WavFloat().encode(np.full((1, 16000), 0.5, np.float32), 16000, broken, Tags())
    half, nan = (np.float32(value).tobytes() for value in (0.5, np.nan))
    broken.write_bytes(broken.read_bytes().replace(half, nan))
    files = [broken, *sounds]
    result = audiogen("embed", *files, "--out", tmp_path, "--set", f"model={clap}", "--json")
    assert result.code == 3
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["status"] for row in rows] == ["failed", "skipped", "written"]
    assert f"failed: {broken}: holds NaN or infinity\n" in result.err
    assert (tmp_path / "long.npy").read_bytes() == b"mine"
    assert not (tmp_path / "broken.npy").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.wav", "text.wav"], "2 problems\n  nowhere.wav: does not exist\n  text.wav: "),
        (["cut.wav"], "cut.wav: holds no audio"),
        ([300 * "x"], f"{300 * 'x'}: cannot be read: File name too long"),
        (["long.wav", "long.wav"], "long.wav and long.wav would both be written as "),
        (["long.wav", "--embedder", "clop"], "--embedder: 'clop' is not a known embedder (did"),
        (["long.wav", "--set", "hop"], "--set hop: must be like key=value, such as model="),
        (["long.wav", "--set", "hip=1"], "--set hip=1: hip: unknown key (did you mean 'hop'?)"),
        (["long.wav", "--set", "hop=2"], "--set hop=2: hop: must be at most 1, the length of "),
        (["long.wav", "--set", "model=away"], "--set model=away: model: 'away' was not found; "),
        (["long.wav", "--set", "model=t5"], "--set model=t5: model: 't5' is no CLAP: its "),
        (["long.wav", "--set", "model=torn"], "--set model=torn: model: 'torn' cannot be loaded: "),
        (["long.wav", "--device", "tpu"], "--device: 'tpu' is not a known device"),
        (["long.wav", "--out", "text.wav/a"], "--out: 'text.wav/a' cannot be made: "),
    ],
)
def test_wrong_usage_is_one_message(
    arguments: list[str], message: str, audiogen: Command, clap: Path, sounds: list[Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    """It says what and where, exits with 2, and nothing is written."""
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "cut.wav").write_bytes(sounds[0].read_bytes()[:44])
    configs = {"t5": '{"model_type": "t5"}', "torn": (clap / "config.json").read_text()}
    for name, text in configs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
    (tmp_path / "torn" / "preprocessor_config.json").write_text("{}")
    (tmp_path / "torn" / "model.safetensors").write_bytes(b"torn")
    given: list[Any] = [] if "model=" in str(arguments) else ["--set", f"model={clap}"]
    result = audiogen("embed", *given, "--out", "out", *arguments, cwd=tmp_path)
    assert (result.code, result.out) == (2, "")
    assert f"error: {message}" in result.err
    assert not (tmp_path / "out").exists()
