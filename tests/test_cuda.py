"""On a GPU: what a CPU makes, as far as rounding allows. Skipped where there is none."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audiogen_core import Generator
from audiogen_core.interfaces.sampler import FlowSampler, Sampler
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.testing.encoders import decode
from tests.conftest import Command, local_model
from tests.test_goldens import assert_matches, cases
from tests.test_goldens import write_config as write_golden_config

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")

PROMPTS = ["a short snare", "a bright bell, note A4", "wind"]


@pytest.fixture(scope="module")
def generators() -> dict[str, Generator]:
    """The default model on both devices."""
    return {device: Generator.load(device=device) for device in ("cpu", "cuda")}


def decibels(wanted: np.ndarray, found: np.ndarray) -> float:
    """How far a sound is above its error."""
    error = np.square(wanted.astype(np.float64) - found).mean()
    return float(10 * np.log10(np.square(wanted, dtype=np.float64).mean() / max(error, 1e-30)))


def audio_of(generator: Generator, what: Any, **options: Any) -> list[np.ndarray]:
    """What a generator makes."""
    return [one.audio for one in generator.generate(what, **options)]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A second of a falling tone."""
    time = np.arange(44100) / 44100
    samples = 0.5 * np.sin(2 * np.pi * (880 * time - 300 * time**2))
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize(("case", "run"), list(cases()))
def test_goldens(case: Path, run: dict[str, Any], tmp_path: Path, audiogen: Command) -> None:
    """Every golden run holds there, too."""
    config = write_golden_config(run, tmp_path)
    result = audiogen(
        "generate", *local_model(case), "--generation-config", config, "--device", "cuda", cwd=case
    )
    assert result.code == 0, result.err
    assert_matches(case, run, Path(result.out.strip()))


@pytest.fixture(scope="module")
def tiny_generators(tiny_model: Path) -> dict[str, Generator]:
    """A tiny model of the v-objective on both devices."""
    files = {
        "model_config": tiny_model / "model_config.json",
        "ckpt_path": tiny_model / "model.safetensors",
    }
    return {device: Generator.load(device=device, **files) for device in ("cpu", "cuda")}


@pytest.mark.parametrize(
    "sampler", [*installed_plugins().samplers.classes()], ids=lambda one: one.NAME
)
def test_samplers(
    sampler: type[Sampler],
    generators: dict[str, Generator],
    tiny_generators: dict[str, Generator],
) -> None:
    """Each makes the same of the same seeds: noise is drawn alike everywhere."""
    chosen = generators if issubclass(sampler, FlowSampler) else tiny_generators
    options = {"seconds": 1, "seed": 3, "steps": 6, "sampler": sampler.NAME}
    wanted, found = (audio_of(one, PROMPTS, **options) for one in chosen.values())
    assert min(map(decibels, wanted, found)) >= 40


def test_recordings(generators: dict[str, Generator], recording: Path) -> None:
    """Audio is encoded there, and varied."""
    sample = {"prompt": "a siren", "init_audio": str(recording), "init_noise_level": 0.5}
    wanted, found = (audio_of(one, [sample], seed=1, steps=6)[0] for one in generators.values())
    assert decibels(wanted, found) >= 40


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "auto"])
def test_sixteen_bits(dtype: str, generators: dict[str, Generator]) -> None:
    """They make nearly the same sounds: with little noise to take away, sampling stays near."""
    options = {"seconds": 1, "seed": 3, "steps": 10}
    near = Generator.load(device="cuda", dtype=dtype)
    found, wanted = (
        audio_of(near, PROMPTS, **options),
        audio_of(generators["cpu"], PROMPTS, **options),
    )
    for a, b in zip(wanted, found, strict=True):
        assert np.isfinite(b).all()
        assert decibels(a, b) > 3


def test_compiled(generators: dict[str, Generator]) -> None:
    """Compiled blocks make the same, in batches of several sizes."""
    options = {"seconds": 1, "seed": 3, "steps": 6, "max_batch": 2}
    compiled = Generator.load(device="cuda", compile=True)
    wanted, found = (audio_of(one, PROMPTS, **options) for one in (generators["cpu"], compiled))
    assert min(map(decibels, wanted, found)) >= 40


@pytest.fixture
def little_memory() -> Iterator[Callable[[float], None]]:
    """Limits what this process may take of the card, in GiB."""
    total = torch.cuda.mem_get_info()[1]

    def limit(gibibytes: float) -> None:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(gibibytes * 2**30 / total)

    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_too_large_batches_are_halved(
    little_memory: Callable[[float], None], generators: dict[str, Generator]
) -> None:
    """Where memory does not suffice, all outputs are made all the same."""
    options = {"seed": 1, "steps": 2, "seconds": 4}
    prompts = [f"{PROMPTS[number % 3]} {number}" for number in range(512)]
    held = torch.cuda.memory_allocated() / 2**30
    little_memory(held + 0.75)
    made = audio_of(generators["cuda"], prompts, max_batch=512, **options)
    assert len(made) == 512
    assert all(np.isfinite(one).all() for one in made)


def test_the_command(audiogen: Command, tmp_path: Path) -> None:
    """It takes the card by itself, says so, and makes the same again."""
    common = ["generate", "--prompt", "a kick drum", "--set", "generation.seed=5", "-q"]
    first, second = (
        audiogen(*common, "--out", tmp_path / name, "--dtype", "auto") for name in ("a", "b")
    )
    assert first.code == second.code == 0, first.err
    paths = [Path(one.out.strip()) for one in (first, second)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    metadata = json.loads(paths[0].with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["software"]["device"].startswith("cuda")
    assert np.abs(decode(paths[0])[0]).max() > 0.01
    again = audiogen("again", paths[0], "--out", tmp_path / "again", "-q")
    assert again.code == 0, again.err
    assert Path(again.out.strip()).read_bytes() == paths[0].read_bytes()
    assert torch.cuda.get_device_name() in audiogen("doctor").out


def test_many_processes(
    audiogen: Command, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    """Workers share a card."""
    config = write_config(
        input={"type": "config", "samples": [{"prompt": f"a tom {one}"} for one in range(4)]}
    )
    result = audiogen(
        "generate", "--generation-config", config,
        "--executor", "processes", "--executor-option", "workers=2",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert len(list((tmp_path / "out").glob("*.wav"))) == 4
