"""How far fewer bits lead away from float32: ``python benchmarks/precision.py``.

Makes the same sounds with the default model in float32 and in every faster way, and prints a table:
the signal-to-noise ratio, and the root mean square difference of the log spectra where float32's is
louder than `FLOOR`. A minute on one core.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from audiogen_core import Generator

WAYS: dict[str, dict[str, Any]] = {
    "bfloat16": {"dtype": "bfloat16"},
    "int8": {"quantize": "int8"},
}
PROMPTS = (
    "a short snare",
    "a bright bell, note A4",
    "a pad playing a C major chord",
    "wind",
    "a low kick drum",
    "rising siren",
)
SECONDS = 2
SEED = 1
FLOOR = -40.0
"""Decibels below the loudest of the spectrogram."""

Sounds = list[NDArray[np.float32]]


def sounds(**how: Any) -> Sounds:
    """The prompts' sounds, ``[channels, samples]`` each, before anything is written."""
    generator = Generator.load(device="cpu", **how)
    made = generator.generate(
        list(PROMPTS), seconds=SECONDS, seed=SEED, settings={"generation.batch_size": 1}
    )
    return [one.audio for one in made]


def signal_to_noise(exact: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """In decibels."""
    difference = np.square(exact - other, dtype=np.float64).mean()
    return 10 * math.log10(np.square(exact, dtype=np.float64).mean() / difference)


def log_spectral_distance(exact: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """In decibels, over windows of 2048 samples."""
    levels = []
    for one in (exact, other):
        window = torch.hann_window(2048)
        spectrum = torch.stft(torch.from_numpy(one), 2048, 512, window=window, return_complex=True)
        levels.append(20 * spectrum.abs().clamp(min=1e-9).log10())
    loud = levels[0] > levels[0].max() + FLOOR
    return float((levels[0] - levels[1])[loud].square().mean().sqrt())


def main() -> None:
    """Prints the table."""
    exact = sounds()
    ways = {name: sounds(**how) for name, how in WAYS.items()}
    heads = " | ".join(f"{name}: SNR | log-spectral distance" for name in ways)
    print(f"| Prompt | {heads} |\n| --- {'| --- | --- ' * len(ways)}|")
    for number, prompt in enumerate(PROMPTS):
        cells = [
            f"{signal_to_noise(exact[number], made[number]):.1f} dB | "
            f"{log_spectral_distance(exact[number], made[number]):.1f} dB"
            for made in ways.values()
        ]
        print(f"| {prompt} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
