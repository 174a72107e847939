"""Contract checks for observers: a run from its beginning to its end, with what may go wrong."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiogen_core.config import GenerationSection, parse_config
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_core.job import Job
from audiogen_core.options import validate
from audiogen_core.outcome import Outcome
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE = 44100


class _Sampler(SigmaSampler):
    """Has a name and no more: observers are told of it."""

    NAME = "some-sampler"

    def schedule(self, request: ScheduleRequest) -> Tensor:
        raise NotImplementedError

    def sample(self, *_: Any) -> Tensor:
        raise NotImplementedError


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
        for fails in (False, True):
            _tell(plugin(settings), Path(folder), fails=fails)
        plugin(settings).close()


def _tell(observer: Observer, folder: Path, *, fails: bool) -> None:
    sections = {
        "input": {"type": "config", "samples": [{"prompt": "rain"}]},
        "output": {"output_dir": str(folder)},
    }
    config = parse_config(sections, installed_plugins())
    how = Settings(GenerationSection(), _Sampler(), latents=1)
    jobs = [
        Job(
            index=index,
            copy=index,
            where="input.samples[0]",
            values={"prompt": "rain"},
            seed=7 + index,
            stem=f"rain-{index}",
            settings=how,
            identity=f"{index:032x}",
        )
        for index in range(2)
    ]
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
    for job in jobs:
        if fails:
            observer.sample_failed(job, "out of memory")
            outcome.failures.append((job, "out of memory"))
            continue
        path = folder / f"{job.stem}.wav"
        path.write_bytes(b"RIFF")
        audio = np.zeros((2, SAMPLE_RATE), np.float32)
        metadata = {"conditioning": dict(job.values), "sample_rate": SAMPLE_RATE}
        observer.sample_done(Output(job, path, audio, SAMPLE_RATE, metadata))
        outcome.written.append(path)
    observer.run_ended(outcome)
    observer.close()
