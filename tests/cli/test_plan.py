"""``audiogen plan``: what it foretells, and that it makes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core import forecast
from audiogen_core.tags import Tags
from audiogen_plugins.encoders.wav import WavFloat
from tests.conftest import Command, local_model

WriteConfig = Callable[..., Path]
SAMPLES = {"type": "config", "samples": [{"prompt": one} for one in ("kick", "snare", "hat")]}


@pytest.fixture
def arguments(tiny_model: Path, write_config: WriteConfig) -> list[str | Path]:
    """Those of a run of six outputs in batches of four."""
    config = write_config(generation={"batch_size": 2}, input=SAMPLES)
    return [*local_model(tiny_model), "--generation-config", config, "--max-batch", "4"]


def records(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The sums of a plan in JSON, and its outputs."""
    head, *outputs = map(json.loads, text.splitlines())
    return head, outputs


def test_a_plan_foretells_what_a_run_makes(
    audiogen: Command, arguments: list[str | Path], tmp_path: Path
) -> None:
    """The same names, seeds and identities, in as many bytes; and nothing of it is written."""
    before = sorted(tmp_path.iterdir())
    planned = audiogen("plan", *arguments, "--json")
    assert planned.code == 0, planned.err
    assert sorted(tmp_path.iterdir()) == before
    head, outputs = records(planned.out)
    assert [head[key] for key in ("outputs", "done", "left", "batches", "largest_batch")] == [
        6, 0, 6, 2, 4
    ]  # fmt: skip
    assert head["audio_seconds"] == 6
    made = audiogen("generate", *arguments)
    assert made.code == 0, made.err
    paths = [Path(line) for line in made.out.splitlines()]
    assert [path.name for path in paths] == [one["name"] for one in outputs]
    for path, one in zip(paths, outputs, strict=True):
        content = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert content["generation_config"]["seed"] == one["seed"]
        assert content["identity"] == one["identity"]
    size = sum(one.stat().st_size for path in paths for one in (path, path.with_suffix(".json")))
    assert 0.9 * size < head["bytes"] < 1.1 * size


def test_a_plan_knows_what_stands(
    audiogen: Command, arguments: list[str | Path], tmp_path: Path
) -> None:
    """Of a folder where a run has been, only what is missing is left; the rest is told in words."""
    made = audiogen("generate", *arguments)
    assert made.code == 0, made.err
    (tmp_path / "out" / "snare.cfg7.0.2.wav").unlink()
    head, outputs = records(audiogen("generate", "--dry-run", "--json", *arguments).out)
    assert (head["done"], head["left"], head["batches"]) == (5, 1, 1)
    assert [one["name"] for one in outputs if one["left"]] == ["snare.cfg7.0.2.wav"]
    text = audiogen("plan", *arguments, "--shard", "2/3").out
    assert "outputs     2: 1 stand already, 1 to make\nshard       2 of 3\n" in text
    assert "names       snare.cfg7.0.2.wav\n" in text
    assert not (tmp_path / "out" / "snare.cfg7.0.2.wav").exists()


def test_a_plan_measures_the_model(
    audiogen: Command, arguments: list[str | Path], tmp_path: Path
) -> None:
    """It is loaded and timed, and still nothing is written."""
    result = audiogen("plan", *arguments, "--measure")
    assert result.code == 0, result.err
    assert "of computing here\n" in result.out
    assert "loading the model\nmeasuring 2 steps\n" in result.err
    assert not (tmp_path / "out").exists()


def test_time_is_counted_by_steps_and_outputs(
    audiogen: Command, arguments: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of four in two steps, and one of half the size in half the time."""
    times = {2: 7.0, 4: 11.0}  # two seconds a step, and three for all the rest
    monkeypatch.setattr(forecast, "_timed", lambda _run, _batch, steps, _observer: times[steps])
    head, _ = records(audiogen("plan", *arguments, "--measure", "--json").out)
    assert head["computing_seconds"] == pytest.approx(7 + 3.5)


def test_a_plan_in_words_is_narrow_and_honest(
    audiogen: Command, tiny_model: Path, write_config: WriteConfig
) -> None:
    """At most 80 columns; seeds that are not drawn yet and times that nobody measured are told."""
    config = write_config(
        generation={"seed": -1},
        input={"type": "grid", "values": {"prompt": ["x" * 200, *"abcdef"]}},
    )
    result = audiogen("plan", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0, result.err
    assert max(map(len, result.out.splitlines())) <= 80
    assert "time        unknown; --measure finds out\n" in result.out
    assert "seeds       drawn when the run starts" in result.out
    assert "            and 2 more\n" in result.out


@pytest.mark.parametrize("option", ["--json", "--measure"])
def test_options_of_plans_need_one(
    audiogen: Command, arguments: list[str | Path], option: str
) -> None:
    """A run that makes files has no use for them, and says so."""
    result = audiogen("generate", *arguments, option)
    assert (result.code, result.out) == (2, "")
    assert "go with --dry-run, or with audiogen plan" in result.err


def test_a_plan_refuses_what_a_run_refuses(
    audiogen: Command, arguments: list[str | Path], tmp_path: Path
) -> None:
    """What has an output's name is a problem before anything is made."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kick.cfg7.0.1.wav").write_text("mine")
    result = audiogen("plan", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "holds files of the same names" in result.err


def test_what_cannot_be_measured_is_one_message(
    audiogen: Command, arguments: list[str | Path], tmp_path: Path
) -> None:
    """What would cost a run one output."""
    path = tmp_path / "x.wav"
    WavFloat().encode(np.full((1, 4000), 0.5, np.float32), 8000, path, Tags())
    half, nan = (np.float32(value).tobytes() for value in (0.5, np.nan))
    path.write_bytes(path.read_bytes().replace(half, nan))
    setting = f"conditioning_defaults.init_audio={path}"
    result = audiogen("plan", *arguments, "--measure", "--set", setting)
    assert (result.code, result.out) == (1, "")
    assert "error: cannot be measured: " in result.err
    assert "holds NaN or infinity" in result.err
