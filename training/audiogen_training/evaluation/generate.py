"""Makes samples through the same code as every run of the command, with the model loaded once."""

from __future__ import annotations

import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from audiogen_core.config import parse_config
from audiogen_core.interfaces.observer import Observer
from audiogen_core.models.model import Model
from audiogen_core.models.source import LocalSource
from audiogen_core.pipeline import make_outputs
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Prepared, Request, prepare
from audiogen_training.sounds import SAMPLE_RATE
from audiogen_training.sounds.dsp import Signal

TOGETHER = 8
"""How many samples are made at a time."""


@dataclass(frozen=True)
class Settings:
    """How to sample: keys of a config's ``generation``."""

    steps: int = 25
    cfg_scale: float = 3.0
    cfg_interval: Sequence[float] = (0.5, 1.0)
    sampler_type: str = "euler"


@dataclass(frozen=True)
class Sample:
    """One sample to make: its conditioning and its seed."""

    prompt: str
    seconds: float
    seed: int
    negative_prompt: str | None = None


class Generator:
    """A model that makes samples.

    Args:
        folder: The model's: ``model_config.json``, ``model.safetensors`` and what they name.
        out: Where to write the samples.
        device: Where to compute.
    """

    def __init__(self, folder: Path, out: Path, device: torch.device) -> None:
        self.checkpoint = folder / "model.safetensors"
        self._source = LocalSource(folder / "model_config.json", self.checkpoint)
        self._plugins = installed_plugins()
        self._observer = Observer()
        self._out = out
        self._device = device
        prepared = self._prepared([Sample("", 1, 0)], Settings(), out)
        if prepared.model.config.sample_rate != SAMPLE_RATE:
            raise ValueError(f"a model of {SAMPLE_RATE} Hz can be measured, and no other")
        prepared.load(self._observer)
        self.model: Model = prepared.model

    def make(self, samples: Sequence[Sample], settings: Settings, name: str) -> list[Signal]:
        """Writes the samples into a folder of that name, and reads them.

        Returns:
            What the files hold, the mean of their channels, float32 `[samples]` each.
        """
        prepared = self._prepared(samples, settings, self._out / name)
        sys.stderr.write(f"making {len(samples)} samples: {name}\n")
        outcome = make_outputs(replace(prepared, model=self.model), self._observer)
        if outcome.interrupted or outcome.stopped or outcome.failures:
            raise RuntimeError(f"not all samples were made: {outcome}")
        return [_read(self._out / name / f"{job.stem}.wav") for job in prepared.plan.jobs]

    def _prepared(self, samples: Sequence[Sample], settings: Settings, out: Path) -> Prepared:
        data = {
            "generation": {**vars(settings), "cfg_interval": list(settings.cfg_interval)},
            "conditioning_defaults": {"seconds_start": 0},
            "input": {
                "type": "config",
                "samples": [
                    {
                        "prompt": one.prompt,
                        "seconds_total": one.seconds,
                        "negative_prompt": one.negative_prompt,
                        "seed": one.seed,
                    }
                    for one in samples
                ],
            },
            "output": {
                "output_dir": str(out),
                "file_format": "wav",
                "file_naming": {"name": "template", "template": "{index:04d}"},
                "save_metadata": False,
            },
        }
        config = parse_config(data, self._plugins)
        request = Request(config, self._source, self._device, max_batch=TOGETHER)
        return prepare(request, self._plugins, self._observer)


def _read(path: Path) -> Signal:
    with wave.open(str(path), "rb") as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        channels = frames.reshape(-1, file.getnchannels())
    mono: Signal = (channels.mean(1) / 32768).astype(np.float32)
    return mono
