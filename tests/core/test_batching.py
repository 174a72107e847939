"""Which outputs are sampled together, and that nobody pays for a neighbour."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from audiogen_core import memory
from audiogen_core.batching import make_batches
from audiogen_core.job import Job
from audiogen_core.testing.encoders import decode
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from audiogen_plugins.conditioners.t5 import T5Conditioner
from tests.conftest import Command, Result, local_model
from tests.core.test_jobs import planned

Generate = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short tiny model."""
    config = tiny_config()
    config["sample_size"] = 16384
    return write_tiny_model(tmp_path_factory.mktemp("short"), config)


@pytest.fixture
def generate(
    model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> Generate:
    """Runs the command on the CPU with samples, arguments and ``generation`` keys, from nothing."""

    def run(*samples: dict[str, Any], args: tuple[str, ...] = (), **generation: Any) -> Result:
        config = write_config(
            generation=generation,
            input={"type": "config", "samples": list(samples)},
            output={"file_naming": "prompt"},
        )
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        arguments = [*local_model(model), "--generation-config", config, "--device", "cpu", *args]
        return audiogen("generate", *arguments)

    return run


def batches_of(*samples: dict[str, Any], limit: int, **generation: Any) -> list[list[str]]:
    """The prompts of each batch."""
    plan = planned(*samples, **generation)
    found = make_batches(plan.jobs, lambda _: limit)
    return [[f"{job.values['prompt']}{job.copy}" for job in batch.jobs] for batch in found]


def test_samples_with_the_same_settings_go_together() -> None:
    """Wherever they stand, in their order, and whatever their seeds and conditioning are."""
    samples = [
        {"prompt": "a"}, {"prompt": "b", "steps": 7}, {"prompt": "c", "seed": 9},
        {"prompt": "d", "steps": 7, "negative_prompt": "x"}, {"prompt": "e", "steps": 100},
        {"prompt": "f", "sampler_type": "v-ddim"},
    ]  # fmt: skip
    assert batches_of(*samples, limit=16) == [["a0", "c0", "e0"], ["b0", "d0"], ["f0"]]


@pytest.mark.parametrize(
    ("limit", "sizes"), [(1, [2] * 4), (2, [2] * 4), (3, [2] * 4), (5, [4, 4]), (6, [6, 2])]
)
def test_the_copies_of_a_sample_stay_together(limit: int, sizes: list[int]) -> None:
    """Also where there are more of them than may be sampled together."""
    samples = [{"prompt": one} for one in "abcd"]
    assert [len(one) for one in batches_of(*samples, limit=limit, batch_size=2)] == sizes


def metadata(path: Path) -> dict[str, Any]:
    """The JSON beside a file."""
    content: dict[str, Any] = json.loads(path.with_suffix(".json").read_text("utf-8"))
    return content


def test_a_batch_makes_what_its_samples_make_alone(generate: Generate) -> None:
    """With negative prompts beside none; names and seeds are the same, and the place is told."""
    samples = (
        {"prompt": "a piano"}, {"prompt": "a drum", "negative_prompt": "noise", "seed": 4},
        {"prompt": "", "seconds_total": 0.2}, {"prompt": "rain", "negative_prompt": "a longer one"},
    )  # fmt: skip
    runs = []
    for size in ("1", "3"):
        result = generate(*samples, args=("--max-batch", size))
        assert result.code == 0, result.err
        paths = [Path(line) for line in result.out.splitlines()]
        runs.append({path.name: (decode(path)[0], metadata(path)["batch"]) for path in paths})
    alone, together = runs
    assert list(alone) == list(together) == ["a piano.wav", "a drum.wav", "_.wav", "rain.wav"]
    assert [place for _, place in alone.values()] == [{"size": 1, "index": 0}] * 4
    places = [place for _, place in together.values()]
    assert [(place["size"], place["index"]) for place in places] == [(3, 0), (3, 1), (3, 2), (1, 0)]
    assert [
        [(one["at"], one["conditioning"]["prompt"]) for one in place.get("others", [])]
        for place in places
    ] == [[([1], "a drum"), ([2], "")], [([0], "a piano"), ([2], "")],
          [([0], "a piano"), ([1], "a drum")], []]  # fmt: skip
    for name, (audio, _) in alone.items():
        noise = np.square(audio - together[name][0]).mean()
        assert noise < 1e-6 * np.square(audio).mean()


def test_without_a_wish_the_memory_decides(
    generate: Generate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plenty is as much as the ceiling allows, and next to nothing is still one output."""
    samples = [{"prompt": f"{index}"} for index in range(3)]
    for free, size in ((2**40, 3), (1, 1), (None, 1)):
        monkeypatch.setattr(memory, "free_memory", lambda _, free=free: free)
        result = generate(*samples)
        assert result.code == 0, result.err
        last = Path(result.out.splitlines()[-1])
        place = metadata(last)["batch"]
        assert (place["size"], place["index"]) == (size, size - 1)


def test_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """By latents, width, type and guidance, of half of what is free; a CPU stops earlier."""
    layer = torch.nn.Linear(8, 1000, bias=False)
    settings: Any = SimpleNamespace(generation=SimpleNamespace(cfg_scale=7.0), latents=100)
    model: Any = SimpleNamespace(
        backbone=layer, dtype=torch.float16, device=torch.device("cuda"),
    )  # fmt: skip
    one = 100 * 1000 * memory.LIVING * 2 * 2
    monkeypatch.setattr(memory, "free_memory", lambda _: one * 10)
    assert memory.batch_limit(model, settings) == 5
    model.dtype = torch.float32
    assert memory.batch_limit(model, settings) == 2
    settings.generation.cfg_scale = 1
    assert memory.batch_limit(model, settings) == 5
    monkeypatch.setattr(memory, "free_memory", lambda _: one * 1000)
    assert memory.batch_limit(model, settings) == memory.CEILING
    model.device = torch.device("cpu")
    assert memory.batch_limit(model, settings) == 10


def test_the_free_memory_of_a_cpu_is_known_on_linux() -> None:
    """More than nothing, and less than there is in the machine."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        pytest.skip("only Linux tells")
    total = int(meminfo.read_text().split()[1]) * 1024
    free = memory.free_memory(torch.device("cpu"))
    assert free is not None
    assert 0 < free < total


def test_one_bad_sample_costs_no_other(generate: Generate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails together is tried alone; only the culprit is reported, with its cause."""
    forward = T5Conditioner.forward

    def broken(self: T5Conditioner, values: Any, generators: Any) -> Any:
        if "bad" in values:
            raise RuntimeError("this prompt breaks the text encoder")
        return forward(self, values, generators)

    monkeypatch.setattr(T5Conditioner, "forward", broken)
    samples = [{"prompt": "good"}, {"prompt": "bad"}, {"prompt": "fine"}]
    result = generate(*samples, args=("--max-batch", "3"), batch_size=2)
    assert result.code == 3
    assert [Path(line).name for line in result.out.splitlines()] == [
        "good.wav", "good-2.wav", "fine.wav", "fine-2.wav"
    ]  # fmt: skip
    failures = [line for line in result.err.splitlines() if line.startswith("failed: ")]
    assert failures == [
        f"failed: input.samples[1] (seed {seed}): RuntimeError: this prompt breaks the text encoder"
        for seed in (1, 2)
    ]


@pytest.mark.parametrize("size", ["0", "-1", "x"])
def test_max_batch_is_checked(size: str, generate: Generate) -> None:
    """At least one output is made at a time."""
    result = generate({"prompt": "a"}, args=("--max-batch", size))
    assert result.code == 2
    assert "--max-batch" in result.err


def test_jobs_know_their_settings() -> None:
    """Equal settings are one object, which is what batches go by."""

    def settings(job: Job) -> Any:
        return job.settings

    first, second, third = map(settings, planned({"seed": 1}, {"steps": 100}, {"steps": 3}).jobs)
    assert first is second
    assert third is not first
    assert (first.generation.steps, third.generation.steps) == (100, 3)
