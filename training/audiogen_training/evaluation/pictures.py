"""Pictures of sounds: a sheet of spectrograms."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audiogen_training.evaluation.measures import spectrogram
from audiogen_training.sounds import SAMPLE_RATE
from audiogen_training.sounds.dsp import Signal

SHEET: Sequence[tuple[str, float]] = (
    ("a punchy kick drum", 1.0),
    ("a bright snare drum", 1.0),
    ("an open hi-hat", 1.5),
    ("a house beat at 120 bpm", 4.0),
    ("a plucked guitar string playing A3", 2.0),
    ("a long, bright bell at C5", 3.0),
    ("a dark saw wave at G2", 1.5),
    ("a major chord on an organ in C4", 2.0),
    ("a rising sweep", 1.5),
    ("a slow siren", 4.0),
    ("wind", 4.0),
    ("fast high beeps", 2.0),
)
"""Prompts, and their lengths in seconds."""

COLUMNS = 4
RANGE_DB = 70


def sheet(titles: Sequence[str], sounds: Sequence[Signal], path: Path) -> None:
    """Draws the spectrograms of sounds into one PNG, on a logarithmic scale of 40 Hz to 18 kHz.

    Args:
        titles: What stands above each.
        sounds: float32 `[samples]` each, at `SAMPLE_RATE`.
        path: Where to write.
    """
    importlib.import_module("matplotlib").use("agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    rows = -(-len(sounds) // COLUMNS)
    figure, axes = pyplot.subplots(
        rows, COLUMNS, figsize=(3.4 * COLUMNS, 2.4 * rows), squeeze=False, layout="constrained"
    )
    size, hop = 4096, 512
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    shown = hz > 30
    for axis, title, sound in zip(axes.flat, titles, sounds, strict=False):
        decibels = 10 * np.log10(spectrogram(sound, size, hop)[:, shown].T + 1e-12)
        top = decibels.max()
        seconds = np.arange(decibels.shape[1]) * hop / SAMPLE_RATE
        axis.pcolormesh(seconds, hz[shown], decibels, vmin=top - RANGE_DB, vmax=top, cmap="magma")
        axis.set(yscale="log", ylim=(40, 18_000))
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in axes.flat[len(sounds) :]:
        axis.remove()
    figure.supxlabel("seconds", fontsize=9)
    figure.supylabel("hertz", fontsize=9)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
