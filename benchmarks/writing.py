"""What a run costs beyond sampling and decoding: ``python benchmarks/writing.py``.

Makes outputs of the default model in batches, in each of some formats in turns. It prints how long
a run took to make them, and for everything else, from its first batch to its end; and beside that
how many CPU seconds 47 seconds of stereo noise take in the format.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from audiogen_core import Generator, making
from audiogen_core.arrays import FloatArray
from audiogen_core.batching import Batch
from audiogen_core.interfaces.observer import Observer
from audiogen_core.models.model import Model
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.tags import Tags

PROMPTS = ("rising siren", "kick drum", "wind", "a pad playing a C major chord")
RATE, SECONDS = 44100, 47


class Stopwatch:
    """Times the making of batches.

    Attributes:
        begun: When the first of them was begun.
        making: How long all of them took.
    """

    def __init__(self) -> None:
        self._make_audio = making.make_audio
        self.reset()

    def reset(self) -> None:
        """Begins anew."""
        self.begun: float | None = None
        self.making = 0.0

    def make_audio(self, model: Model, batch: Batch, observer: Observer) -> dict[int, FloatArray]:
        """In place of `audiogen_core.making.make_audio`."""
        begun = time.perf_counter()
        self.begun = begun if self.begun is None else self.begun
        try:
            return self._make_audio(model, batch, observer)
        finally:
            self.making += time.perf_counter() - begun


def run(
    generator: Generator, stopwatch: Stopwatch, file_format: str, outputs: int, batch: int
) -> tuple[float, float]:
    """Makes files; how long making them took, and everything else."""
    prompts = [f"{PROMPTS[one % len(PROMPTS)]} {one}" for one in range(outputs)]
    stopwatch.reset()
    with TemporaryDirectory() as folder:
        settings = {"output.file_format": file_format}
        outcome = generator.write(prompts, folder, seed=1, settings=settings, max_batch=batch)
        ended = time.perf_counter()
    if len(outcome.written) != outputs or stopwatch.begun is None:
        raise SystemExit("not all was made")
    return stopwatch.making, ended - stopwatch.begun - stopwatch.making


def encoding(file_format: str) -> float:
    """The CPU seconds that 47 seconds of stereo noise take."""
    noise = np.random.default_rng(0).normal(scale=0.1, size=(2, RATE * SECONDS))
    audio = noise.clip(-1, 1).astype(np.float32)
    encoder = installed_plugins().encoders.load(file_format)(None)
    with TemporaryDirectory() as folder:
        begun = time.process_time()
        encoder.encode(audio, RATE, Path(folder) / f"noise{encoder.EXTENSION}", Tags())
    return time.process_time() - begun


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", nargs="+", default=["wav", "flac", "mp3 v0"])
    arguments = parser.parse_args()
    stopwatch = Stopwatch()
    making.make_audio = stopwatch.make_audio
    generator = Generator.load(device="cpu")
    rounds = [
        [
            run(generator, stopwatch, one, arguments.outputs, arguments.batch)
            for one in arguments.formats
        ]
        for _ in range(arguments.rounds)
    ]
    print("| Format | Making, s | Everything else, s | In addition | 47 s of stereo, CPU s |")
    print("| --- | --- | --- | --- | --- |")
    for name, *found in zip(arguments.formats, *rounds, strict=True):
        made, other = (statistics.median(one[part] for one in found) for part in (0, 1))
        cells = [f"`{name}`", f"{made:.2f}", f"{other:.2f}", f"{other / made:.1%}"]
        print("| " + " | ".join([*cells, f"{encoding(name):.2f}"]) + " |")


if __name__ == "__main__":
    main()
