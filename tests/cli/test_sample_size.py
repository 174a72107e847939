"""``"sample_size": "auto"``: no more is sampled than a sample is long."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from tests.conftest import Command, local_model

RATIO, RATE, LATENTS = 2048, 44100, 96


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of 4.5 seconds, whose lengths are multiples of three latents."""
    config = tiny_config()
    config["sample_size"] = LATENTS * RATIO
    config["model"]["diffusion"]["config"]["patch_size"] = 3
    return write_tiny_model(tmp_path_factory.mktemp("long"), config)


@pytest.fixture
def generate(
    model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> Callable[..., list[Path]]:
    """Makes samples of these lengths in seconds, whole or cut."""

    def run(name: str, *seconds: float, cut: bool, size: str | None = "auto") -> list[Path]:
        config = write_config(
            f"{name}.json",
            generation={"steps": 2, "seed": 1, "sample_size": size},
            input={
                "type": "config",
                "samples": [{"prompt": "a", "seconds_total": one} for one in seconds],
            },
            output={"output_dir": str(tmp_path / name), "cut_to_seconds_total": cut},
        )
        result = audiogen("generate", *local_model(model), "--generation-config", config)
        assert result.code == 0, result.err
        return [Path(line) for line in result.out.splitlines()]

    return run


def samples(path: Path) -> int:
    """The length of a file, decoded."""
    with av.open(str(path)) as file:
        return sum(frame.samples for frame in file.decode(audio=0))


def test_what_is_sampled_is_a_little_longer_than_asked_for(
    generate: Callable[..., list[Path]],
) -> None:
    """In steps of 32 latents, rounded up to what the network takes, and never beyond its length."""
    lengths = [samples(path) // RATIO for path in generate("whole", 0.5, 1.5, 9, cut=False)]
    assert lengths == [33, 66, LATENTS]
    cut = generate("cut", 0.5, 1.5, 9, cut=True)
    assert [samples(path) for path in cut] == [RATE // 2, 3 * RATE // 2, LATENTS * RATIO]


def test_a_sample_depends_on_no_other(generate: Callable[..., list[Path]]) -> None:
    """The longest of a run does not lengthen the others."""
    together = generate("together", 0.5, 4, cut=True)
    (alone,) = generate("alone", 0.5, cut=True)
    assert together[0].read_bytes() == alone.read_bytes()


def test_it_is_told_and_makes_another_output(
    generate: Callable[..., list[Path]],
) -> None:
    """The metadata says so, and its identity is not that of the full-length output."""

    def told(path: Path) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(path.with_suffix(".json").read_text("utf-8"))
        return content

    (auto,), (full,) = generate("auto", 0.5, cut=True), generate("full", 0.5, cut=True, size=None)
    assert told(auto)["generation_config"]["sample_size"] == "auto"
    assert "sample_size" not in told(full)["generation_config"]
    assert told(auto)["identity"] != told(full)["identity"]
    assert samples(auto) == samples(full)
    assert auto.read_bytes() != full.read_bytes()


def test_other_sizes_are_refused(audiogen: Command, write_config: Callable[..., Path]) -> None:
    """There is one word, and null."""
    result = audiogen(
        "config", "validate", write_config(generation={"sample_size": 65536, "steps": 2})
    )
    assert result.code == 2
    assert "generation.sample_size: 65536 is not allowed; allowed: 'auto'" in result.err
