"""Samples with a seed, a scale, steps or a sampler of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from tests.conftest import Command, Result, local_model

Generate = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short tiny model."""
    config = tiny_config()
    config["sample_size"] = 16384
    return write_tiny_model(tmp_path_factory.mktemp("short"), config)


@pytest.fixture
def generate(model: Path, write_config: Callable[..., Path], audiogen: Command) -> Generate:
    """Runs the command with samples and ``generation`` keys."""

    def run(*samples: dict[str, Any], where: Any = None, **generation: Any) -> Result:
        config = write_config(
            generation=generation,
            input=where or {"type": "config", "samples": list(samples)},
        )
        return audiogen("generate", *local_model(model), "--generation-config", config)

    return run


def outputs(result: Result) -> list[Path]:
    """The files of a run that went well."""
    assert result.code == 0, result.err
    return [Path(line) for line in result.out.splitlines()]


def metadata(path: Path) -> dict[str, Any]:
    """The JSON beside a file."""
    content: dict[str, Any] = json.loads(path.with_name(f"{path.stem}.json").read_text("utf-8"))
    return content


def test_a_sample_is_what_its_own_settings_make(generate: Generate) -> None:
    """The same bytes as in a run where the section says so; names and metadata tell them."""
    own = {"seed": 5, "steps": 3, "cfg_scale": 2, "sampler_type": "v-ddim"}
    plain, special = outputs(generate({"prompt": "a"}, {"prompt": "a", **own}))
    assert (plain.name, special.name) == ("a.cfg7.0.1.wav", "a.cfg2.5.wav")
    told = metadata(special)
    assert {key: told["generation_config"][key] for key in own} == own
    assert told["conditioning"] == {"prompt": "a", "seconds_start": 0, "seconds_total": 1}
    assert told["software"]["plugins"]["sampler"].startswith("audiogen ")
    first = metadata(plain)["generation_config"]
    assert (first["seed"], first["steps"], first["sampler_type"]) == (1, 2, "dpmpp-3m-sde")
    made = special.read_bytes()
    special.unlink()
    (again,) = outputs(generate({"prompt": "a"}, **own))
    assert again == special
    assert again.read_bytes() == made


def test_null_is_the_section_s_value(generate: Generate) -> None:
    """As for conditioning, null is no value."""
    (path,) = outputs(generate({"prompt": "a", "seed": None, "sampler_type": None}))
    assert path.name == "a.cfg7.0.1.wav"


def test_copies_count_up_from_the_sample_s_seed(generate: Generate) -> None:
    """And -1 draws fresh ones for this sample alone."""
    paths = outputs(
        generate({"prompt": "a", "seed": 40}, {"prompt": "b", "seed": -1}, batch_size=2)
    )
    seeds = [metadata(path)["generation_config"]["seed"] for path in paths]
    assert seeds[:2] == [40, 41]
    assert len({*seeds, 1, 2}) == 6


def test_options_apply_where_they_fit_the_sampler(generate: Generate) -> None:
    """``eta`` is the section's sampler's and ``v-ddim``'s; ``dpmpp-2m`` has no use for it."""
    paths = outputs(
        generate(
            {"prompt": "a"}, {"prompt": "b", "sampler_type": "v-ddim"},
            {"prompt": "c", "sampler_type": "dpmpp-2m"}, eta=0.25,
        )
    )  # fmt: skip
    told = {path.name[0]: metadata(path)["generation_config"] for path in paths}
    assert told["a"]["eta"] == told["b"]["eta"] == 0.25
    assert "eta" not in told["c"]


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"steps": 0}, "input.samples[1].steps: must be at least 1, not 0"),
        ({"steps": "3"}, "input.samples[1].steps: must be a whole number, not a string"),
        ({"seed": 2**63 - 1},
         f"input.samples[1].seed: must be at most {2**63 - 2} with batch_size 2, not {2**63 - 1}"),
        ({"cfg_scale": "x"}, "input.samples[1].cfg_scale: must be a number, not a string"),
        ({"sampler_type": "v-dim"}, "input.samples[1].sampler_type: 'v-dim' is not a known sampler "
         "(did you mean 'v-ddim'?); known: "),
        ({"sampler_type": "euler"}, "input.samples[1].sampler_type: 'euler' cannot sample this "
         "model, whose objective is 'v'; allowed: 'k-heun', "),
        ({"stesp": 3}, "input.samples[1].stesp: unknown conditioning key (did you mean 'steps'?)"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_with_the_sample_s_place(
    sample: dict[str, Any], message: str, generate: Generate
) -> None:
    """Exactly as those of the section, before the weights are read."""
    result = generate({"prompt": "a"}, {"prompt": "b", **sample}, batch_size=2)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("input.samples[1]") == 1


def test_a_sampler_that_the_section_does_not_suit(generate: Generate) -> None:
    """What only this sampler minds is told at the sample."""
    result = generate(
        {"prompt": "a"}, {"prompt": "b", "sampler_type": "k-heun"},
        sampler_type="v-ddim", sigma_min=2, sigma_max=1,
    )  # fmt: skip
    assert result.code == 2
    assert (
        "input.samples[1].sampler_type: 'k-heun' cannot be used here: generation.sigma_min: must "
        "be less than sigma_max (1), not 2"
    ) in result.err


def test_a_wrong_section_is_told_once(generate: Generate) -> None:
    """However many samples there are."""
    result = generate(*[{"prompt": "a", "steps": 3}] * 3, sampler_type="euler")
    assert result.code == 2
    assert result.err.count("cannot sample this model") == 1


def test_a_model_s_own_conditioner_comes_first(
    write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """Where a model has a conditioner called ``steps``, that is what a sample's ``steps`` is."""
    config = tiny_config()
    config["model"]["conditioning"]["configs"].append(
        {"id": "steps", "type": "int", "config": {"min_val": 0, "max_val": 9}}
    )
    folder = write_tiny_model(tmp_path / "model", config)
    sample = {"prompt": "a", "steps": 8, "seed": 3}
    generation = write_config(input={"type": "config", "samples": [sample]})
    result = audiogen("generate", *local_model(folder), "--generation-config", generation)
    told = metadata(*outputs(result))
    assert told["conditioning"]["steps"] == 8
    assert told["generation_config"]["steps"] == 2
    assert told["generation_config"]["seed"] == 3
