"""Folders for reports, and what a report holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.tags import tags_of

RATE = 44100


def metadata(prompt: str = "rain", seed: int = 7, **generation: Any) -> dict[str, Any]:
    """What is known of an output, as a run writes it."""
    return {
        "generation_config": {
            "steps": 8, "cfg_scale": 7.0, "batch_size": 1, "sampler_type": "euler",
            "sigma_min": 0.01, "seed": seed, **generation,
        },
        "conditioning": {"prompt": prompt, "seconds_start": 0, "seconds_total": 2},
        "sample_rate": RATE,
        "file_format": "wav",
        "model": {"pretrained_name": "somebody/some-model", "revision": "abc"},
        "output": {"seconds": 2.0, "channels": 2, "cut_to_seconds_total": True,
                   "post_processing": [{"name": "peak", "level": 0.0}, {"name": "trim"}]},
        "identity": f"{seed:032x}",
        "batch": {"size": 1, "index": 0},
        "software": {"audiogen": "0", "plugins": {"observer metadata": "audiogen 0"}},
    }  # fmt: skip


def write_audio(path: Path, audio: FloatArray, content: Any, file_format: str = "wav") -> Path:
    """Writes an audio file, with tags where there is something to say."""
    encoder = installed_plugins().encoders.load(file_format)()
    path = path.with_name(path.name + encoder.EXTENSION)
    encoder.encode(audio, RATE, path, tags_of(content))
    return path


def shown_by(page: Path) -> Any:
    """The data that a page holds."""
    text = page.read_text("utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def sine(hertz: float, amplitude: float = 0.5, seconds: float = 2) -> FloatArray:
    """A stereo sine."""
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([wave, wave]).astype(np.float32)
