"""Contract checks for observers: a run from its beginning to its end, with what may go wrong."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiogen_core.batching import Batch
from audiogen_core.config import parse_config
from audiogen_core.default_model import DefaultSource
from audiogen_core.interfaces.observer import Observer
from audiogen_core.metadata import metadata
from audiogen_core.options import validate
from audiogen_core.outcome import Outcome
from audiogen_core.output import encode
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Planned, Request, plan_without_folder


def check_observer(plugin: type[Observer], options: Mapping[str, Any]) -> None:
    """Tells an observer of three runs: one that goes well, one that does not, and none at all.

    What it prints is caught.

    Args:
        plugin: The class.
        options: What its entry in ``output.observers`` holds besides ``name``.

    Raises:
        AssertionError: It returns something where nothing is asked.
        Exception: What it raises.
    """
    settings = validate(plugin.Options, dict(options))
    written, errors = io.StringIO(), io.StringIO()
    with (
        tempfile.TemporaryDirectory(prefix="audiogen-") as folder,
        contextlib.redirect_stdout(written),
        contextlib.redirect_stderr(errors),
    ):
        planned = _planned(Path(folder))
        for fails in (False, True):
            _tell(plugin(settings), planned, fails=fails)
        plugin(settings).close()


def _planned(folder: Path) -> Planned:
    """Two outputs of the default model."""
    sections = {
        "generation": {"batch_size": 2, "seed": 7},
        "input": {"type": "config", "samples": [{"prompt": "rain", "seconds_total": 1}]},
        "output": {"output_dir": str(folder)},
    }
    plugins, silent = installed_plugins(), Observer()
    request = Request(parse_config(sections, plugins), DefaultSource(), torch.device("cpu"))
    model = request.wanted.build(plugins, silent)
    return plan_without_folder(request, plugins, model, request.wanted.identity(model))


def _tell(observer: Observer, planned: Planned, *, fails: bool) -> None:
    config, model, jobs = planned.request.config, planned.model.config, planned.plan.jobs
    batch = Batch.of(tuple(jobs))
    outcome = Outcome(planned=len(jobs), interrupted=fails)
    observer.stage("loading the model")
    observer.note("a note")
    observer.downloaded(10, None)
    observer.downloaded(20, 20)
    observer.run_started(config, jobs)
    observer.batch_started(jobs)
    observer.step(1, None)
    observer.step(2, 2)
    observer.stage("decoding")
    observer.waiting()
    for index, job in enumerate(jobs):
        if fails:
            observer.sample_failed(job, "out of memory")
            outcome.failures.append((job, "out of memory"))
            continue
        audio = np.zeros((model.channels, model.sample_rate), np.float32)
        content = metadata(planned, batch, index, audio.shape[-1])
        folder = planned.request.folder
        encoded = encode(config, audio, model.sample_rate, folder, content)
        with encoded.draft:
            output = encoded.place(config, job, model.sample_rate, folder)
        observer.sample_done(output)
        outcome.written.append(output.path)
    observer.run_ended(outcome)
    observer.close()
