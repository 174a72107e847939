"""An output depends on its own values and seed, and on nothing that is made beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audiogen_core import Generator
from audiogen_core.diffusion.guidance import Guidance, GuidedModel
from audiogen_core.interfaces.backbone import BackboneInputs
from audiogen_core.testing.encoders import decode
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from tests.conftest import DATA, Command, local_model

NOISY: dict[str, dict[str, float]] = {
    "dpmpp-2m-sde": {},
    "dpmpp-3m-sde": {},
    "k-dpmpp-2s-ancestral": {},
    "k-dpm-adaptive": {"cfg_scale": 1.0, "sigma_min": 0.1, "sigma_max": 10},
    "k-heun": {"s_churn": 2.0},
    "k-dpm-2": {"s_churn": 2.0},
    "v-ddim": {"eta": 1.0},
    "v-ddim-cfgpp": {"eta": 1.0},
    "pingpong": {},
}
"""The samplers that draw fresh noise or choose their steps, with options that make them do so."""
SAMPLES = (
    {"prompt": "a relaxing jazz piece"},
    {"prompt": "fast electronic beats", "negative_prompt": "noise"},
    {"prompt": "", "seconds_total": 0.2},
)

Generate = Callable[..., list[Path]]
"""Makes files from the settings, the samples and a name for the run."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A short tiny model of each of two objectives."""
    folders = {}
    for objective in ("v", "rf_denoiser"):
        config = tiny_config()
        config["sample_size"] = 16384
        config["model"]["diffusion"]["diffusion_objective"] = objective
        folders[objective] = write_tiny_model(tmp_path_factory.mktemp(objective), config)
    return folders


@pytest.fixture
def generate(
    audiogen: Command,
    models: dict[str, Path],
    write_config: Callable[..., Path],
    tmp_path: Path,
) -> Generate:
    """Runs the command on the model that the sampler is for."""

    def run(
        name: str, samples: Any = SAMPLES[:1], most: int | None = None, **settings: Any
    ) -> list[Path]:
        config = write_config(
            generation={"steps": 3, "cfg_scale": 3.0, **settings},
            input={"type": "config", "samples": list(samples)},
            output={"output_dir": str(tmp_path / name), "file_naming": "prompt"},
        )
        model = models["rf_denoiser" if settings.get("sampler_type") == "pingpong" else "v"]
        arguments = [*local_model(model), "--generation-config", config, "--device", "cpu"]
        arguments += [] if most is None else ["--max-batch", most]
        result = audiogen("generate", *arguments)
        assert result.code == 0, result.err
        return [Path(line) for line in result.out.splitlines()]

    return run


def likeness(first: Path, second: Path) -> float:
    """The signal-to-noise ratio between two files, in decibels."""
    wanted, found = decode(first)[0].astype(np.float64), decode(second)[0]
    noise = np.square(wanted - found).sum()
    return float("inf") if noise == 0 else 10 * np.log10(np.square(wanted).sum() / noise)


def recorded_seed(audio: Path) -> int:
    """The seed in the metadata beside a file."""
    content = json.loads(audio.with_suffix(".json").read_text(encoding="utf-8"))
    seed: int = content["generation_config"]["seed"]
    return seed


@pytest.mark.parametrize("sampler", NOISY)
def test_a_batch_is_what_its_seeds_make_one_by_one(sampler: str, generate: Generate) -> None:
    """Copy k of a batch is the output of seed + k, and no two copies are alike."""
    settings = {"sampler_type": sampler, **NOISY[sampler]}
    batch = generate("batch", batch_size=3, seed=5, **settings)
    for copy in (0, 2):
        (alone,) = generate(f"alone {copy}", seed=5 + copy, **settings)
        # With random weights, steps amplify rounding: to 59 dB with the kernels of some processors.
        assert likeness(alone, batch[copy]) >= 50
    for first, second in permutations(batch, 2):
        assert likeness(first, second) < 10
    again = generate("again", batch_size=3, seed=5, **settings)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in batch]


ORDERS = (SAMPLES, SAMPLES[::-1], SAMPLES[1:] + SAMPLES[:1])


def test_the_order_of_the_samples_does_not_matter(generate: Generate) -> None:
    """Each sample makes the same bytes wherever it stands in the config."""
    first, *others = (
        {path.name: path.read_bytes() for path in generate(f"order {index}", order, most=1, seed=7)}
        for index, order in enumerate(ORDERS)
    )
    assert len(first) == len(SAMPLES)
    assert all(other == first for other in others)


def test_the_place_in_a_batch_does_not_matter(generate: Generate) -> None:
    """Sampled together in any order, each sample makes what it makes alone, but for rounding."""
    alone = {path.name: path for path in generate("alone", SAMPLES, most=1, seed=7)}
    for index, order in enumerate(ORDERS):
        for path in generate(f"together {index}", order, most=3, seed=7):
            assert likeness(alone[path.name], path) >= 60


def test_a_random_seed_is_recorded_and_makes_the_same_again(generate: Generate) -> None:
    """Every output of seed -1 has a seed of its own, which gives the same bytes."""
    batch = generate("random", SAMPLES[:2], most=3, batch_size=3, seed=-1)
    seeds = [recorded_seed(path) for path in batch]
    assert len(set(seeds)) == 6
    for copy in range(3):
        # At the same place of a batch of the same size, beside other neighbours.
        again = generate(f"again {copy}", batch_size=3, seed=seeds[copy] - copy)[copy]
        assert recorded_seed(again) == seeds[copy]
        assert again.read_bytes() == batch[copy].read_bytes()


class _Counted(torch.nn.Module):
    """A network that writes down how many samples each of its calls is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.sizes: list[int] = []

    def prepared(self, inputs: BackboneInputs) -> BackboneInputs:
        """The same."""
        return inputs

    def forward(self, x: torch.Tensor, t: torch.Tensor, inputs: BackboneInputs) -> torch.Tensor:
        """Zeros."""
        del t, inputs
        self.sizes.append(len(x))
        return torch.zeros_like(x)


def test_a_neighbour_s_time_does_not_decide_what_a_sample_is_computed_with() -> None:
    """At times of their own, samples outside the guidance interval go through both halves too.

    Whether a neighbour is inside would else decide the size of the batch, and so the rounding.
    """
    network = _Counted()
    inputs = BackboneInputs(cross_attention=torch.ones(2, 1, 1))
    guided = GuidedModel(network, inputs, None, Guidance(3.0, (0.4, 0.6)), "rectified_flow")
    x = torch.zeros(2, 1, 4)
    for times in ([0.9, 0.9], [0.9, 0.5], [0.5, 0.5]):
        guided(x, torch.tensor(times))
    guided(x, torch.tensor(0.9))
    assert network.sizes == [4, 4, 4, 2]


def test_both_halves_are_given_the_same_crop(tmp_path: Path) -> None:
    """A negative prompt that is the prompt leads nowhere, though an audio prompt is cropped."""
    config = tiny_config()
    config["sample_size"] = 16384
    conditioning = config["model"]["conditioning"]
    options = {"input_dim": 3, "sample_size": 2, "random_crop": True, "project_out": True}
    conditioning["configs"].append({"id": "audio", "type": "pre_encoded_latent", "config": options})
    config["model"]["diffusion"]["cross_attention_cond_ids"].append("audio")
    folder = write_tiny_model(tmp_path / "model", config)
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.save(tmp_path / "audio.npy", values)
    generator = Generator.load(
        model_config=folder / "model_config.json",
        ckpt_path=folder / "model.safetensors",
        device="cpu",
    )
    sample = {"prompt": "rain", "audio": str(tmp_path / "audio.npy"), "seconds_total": 0.3}
    named = {"steps": 4, "seed": 1}
    (plain,) = generator.generate([sample], cfg_scale=1, **named)
    (led,) = generator.generate([{**sample, "negative_prompt": "rain"}], cfg_scale=5, **named)
    assert np.abs(plain.audio - led.audio).max() < 1e-3 * np.abs(plain.audio).max()


def test_a_negative_prompt_counts_where_the_prompt_is_attended_to() -> None:
    """In a model that prepends it, it changes nothing; the scale does."""
    case = DATA / "golden" / "patches_prepended"
    generator = Generator.load(
        model_config=case / "model_config.json",
        ckpt_path=case / "model.safetensors",
        device="cpu",
    )
    sample = {"prompt": "a", "seconds_total": 0.1}
    named = {"steps": 2, "seed": 1}
    asked = [(sample, 3.0), ({**sample, "negative_prompt": "noise"}, 3.0), (sample, 1.0)]
    first, led, plain = (
        next(iter(generator.generate([one], cfg_scale=scale, **named))).audio
        for one, scale in asked
    )
    assert np.array_equal(first, led)
    assert not np.array_equal(first, plain)
