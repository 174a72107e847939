"""``--quantize int8``: faster on a CPU, and nearly the same sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audiogen_core.models.quantize import quantize
from audiogen_core.testing.encoders import decode
from tests.conftest import Command, local_model


@pytest.mark.slow
def test_the_sound_is_nearly_the_same(audiogen: Command, tmp_path: Path) -> None:
    """Within 10 dB, but another output; what it was made with is told, and used again."""
    common = ["generate", "--prompt", "a short snare", "--set", "generation.seed=5",
              "--set", "generation.steps=10", "--device", "cpu", "-q"]  # fmt: skip
    exact = Path(audiogen(*common, "--out", tmp_path / "exact").out.strip())
    result = audiogen(*common, "--out", tmp_path / "rounded", "--quantize", "int8")
    assert result.code == 0, result.err
    rounded = Path(result.out.strip())
    wanted, found = decode(exact)[0], decode(rounded)[0]
    error = np.square(wanted - found).mean() / np.square(wanted).mean()
    assert 1e-6 < error < 0.1
    metadata = json.loads(rounded.with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["model"]["quantize"] == "int8"
    assert metadata["identity"] != json.loads(exact.with_suffix(".json").read_text())["identity"]
    assert "int8" in audiogen("show", rounded).out
    again = audiogen("again", rounded, "--out", tmp_path / "again", "-q")
    assert again.code == 0, again.err
    assert Path(again.out.strip()).read_bytes() == rounded.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dtype", "bfloat16"], "--quantize: int8 goes with --dtype float32, not with 16 bits"),
        (["--model-half"], "--quantize: int8 goes with --dtype float32, not with 16 bits"),
    ],
)
def test_sixteen_bits_do_not_go_with_it(
    options: list[str], message: str, tiny_model: Path, audiogen: Command, tmp_path: Path
) -> None:
    """It is said before anything is loaded or written."""
    arguments = ["generate", *local_model(tiny_model), "--prompt", "x", "--out", tmp_path / "out"]
    result = audiogen(*arguments, "--device", "cpu", "--quantize", "int8", *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert not (tmp_path / "out").exists()


def test_no_sample_depends_on_its_neighbours() -> None:
    """Each has a scale of its own, however loud the others are."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(128, 256), nn.SiLU(), nn.Linear(256, 128, bias=False))
    x = torch.randn(3, 17, 128) * torch.tensor([1.0, 100.0, 0.01])[:, None, None]
    with torch.inference_mode():
        wanted = layers(x)
        quantize(layers)
        together = layers(x)
        alone = torch.cat([layers(one) for one in x.split(1)])
    assert not any(type(one) is nn.Linear for one in layers)
    assert torch.equal(together, alone)
    errors = (together - wanted).square().mean((1, 2)) / wanted.square().mean((1, 2))
    assert errors.max() < 1e-3


def test_constant_inputs_have_a_scale() -> None:
    """Silence is silence, and what is the same everywhere is no division by nothing."""
    layers = nn.Sequential(nn.Linear(128, 128, bias=False))
    wanted = layers(torch.ones(1, 4, 128))
    quantize(layers)
    assert torch.equal(layers(torch.zeros(1, 4, 128)), torch.zeros(1, 4, 128))
    assert torch.allclose(layers(torch.ones(1, 4, 128)), wanted, atol=0.02)
