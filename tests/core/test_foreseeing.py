"""What only embeds texts is let go of as soon as all texts of a run are embedded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import ReferenceType, ref

import pytest

from audiogen_core import Generator, making
from audiogen_core.models.model import Model
from audiogen_plugins.conditioners.t5_encoder import T5Encoder
from tests.conftest import Command, local_model

PROMPTS = ["rain", "wind", "a jazz piece"]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[ReferenceType[T5Encoder]]:
    """Every text encoder that is loaded, for as long as it is there."""
    found: list[ReferenceType[T5Encoder]] = []
    load = T5Encoder.load

    def watched(*arguments: Any) -> T5Encoder:
        encoder = load(*arguments)
        found.append(ref(encoder))
        return encoder

    monkeypatch.setattr(T5Encoder, "load", watched)
    return found


@pytest.mark.parametrize("few", [True, False])
def test_a_short_run_samples_without_its_text_encoder(
    few: bool,
    loaded: list[ReferenceType[T5Encoder]],
    tiny_model: Path,
    write_config: Callable[..., Path],
    audiogen: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is gone when audio is decoded, negative prompts or not; a run of more outputs keeps it."""
    if not few:
        monkeypatch.setattr(making, "FORESEEN", len(PROMPTS) - 1)
    samples = [{"prompt": one, "negative_prompt": f"no {one}"} for one in PROMPTS]
    config = write_config(
        generation={"cfg_scale": 3.0}, input={"type": "config", "samples": samples}
    )
    there: list[bool] = []
    decode = Model.decode

    def looks(self: Model, latents: Any) -> Any:
        there.append(loaded[0]() is not None)
        return decode(self, latents)

    monkeypatch.setattr(Model, "decode", looks)
    options = [*local_model(tiny_model), "--generation-config", config, "--device", "cpu"]
    assert audiogen("generate", *options, "--max-batch", "2").code == 0
    assert there == [not few] * len(PROMPTS)
    assert len(loaded) == 1


def test_a_generator_keeps_its_text_encoder(
    loaded: list[ReferenceType[T5Encoder]], tiny_model: Path, tmp_path: Path
) -> None:
    """Whoever keeps a model for more than one run does not wait for it again."""
    generator = Generator.load(
        model_config=tiny_model / "model_config.json",
        ckpt_path=tiny_model / "model.safetensors",
        device="cpu",
    )
    generator.write("rain", tmp_path, steps=1, seconds=0.1)
    assert len(list(generator.generate(PROMPTS, steps=1, seconds=0.1))) == len(PROMPTS)
    assert len(loaded) == 1
    assert loaded[0]() is not None
