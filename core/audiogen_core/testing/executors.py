"""Contract checks for executors: run them over your own, as this project does over its own.

In a test of your own::

    def test_my_executor():
        check_executor(Thread, {})

A tiny model makes a few outputs, by the executor and by this process, and raises `AssertionError`
where they differ.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from audiogen_core.config import parse_config
from audiogen_core.interfaces.executor import Executor
from audiogen_core.models.source import LocalSource
from audiogen_core.options import validate
from audiogen_core.outcome import Outcome
from audiogen_core.pipeline import run
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Request
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model

OUTPUTS = 5
BATCH = 2


def check_executor(plugin: type[Executor], options: Mapping[str, Any]) -> None:
    """Lets it make some batches of a tiny model on the CPU.

    Args:
        plugin: The class.
        options: What ``--executor-option`` gives it.
    """
    settings = validate(plugin.Options, dict(options))
    with tempfile.TemporaryDirectory(prefix="audiogen-") as name:
        folder = Path(name)
        config = tiny_config()
        config["sample_size"] = 16384
        model = write_tiny_model(folder / "model", config)
        source = LocalSource(model / "model_config.json", model / "model.safetensors")
        outcome = _made(folder / "made", source, plugin(settings))
        assert not outcome.failures, f"outputs failed: {outcome.failures[0][1]}"
        assert outcome.stopped is None, f"the run ended: {outcome.stopped}"
        assert len(outcome.written) == OUTPUTS, f"{len(outcome.written)} of {OUTPUTS} were made"
        _made(folder / "expected", source, None)
        for path in filter(Path.is_file, (folder / "expected").iterdir()):
            found = (folder / "made" / path.name).read_bytes()
            assert found == path.read_bytes(), f"{path.name} differs from what this process makes"


def _made(folder: Path, source: LocalSource, executor: Executor | None) -> Outcome:
    plugins = installed_plugins()
    samples = [{"prompt": f"sound {number}"} for number in range(OUTPUTS)]
    sections = {
        "generation": {"steps": 1, "seed": 1, "cfg_scale": 1.0},
        "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1},
        "input": {"type": "config", "samples": samples},
        "output": {"output_dir": str(folder)},
    }
    request = Request(parse_config(sections, plugins), source, torch.device("cpu"), max_batch=BATCH)
    return run(request, plugins, executor=executor)
