"""Examples for training and evaluation: a sound, its caption, its spec and the facts.

``python -m audiogen_training.corpus FOLDER --count 40`` writes some to listen to.
"""

from __future__ import annotations

import argparse
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiogen_training.captions import Split, caption
from audiogen_training.sounds import KINDS, SAMPLE_RATE, Facts, SoundSpec, render, shortest
from audiogen_training.sounds.dsp import Signal

SECONDS = 4.0
"""The longest example."""

WEIGHTS = {
    # Of a loop, every beat must come in time.
    "four_on_the_floor": 10.0,
    # What has a note has 49 of them to learn, and needs clean harmonics to be told from others.
    "minor_chord": 8.0,
    **dict.fromkeys(("sine", "organ", "major_chord", "pluck", "pad"), 6.0),
    "bell": 5.0,
    **dict.fromkeys(("saw", "square"), 4.0),
    "bass": 3.0,
    # What glides is nowhere twice the same.
    "siren": 6.0,
    **dict.fromkeys(("rising_sweep", "falling_sweep"), 5.0),
    **dict.fromkeys(("laser", "water_drop", "wind"), 3.0),
    # All of these are noise, and the snare is easily taken for another.
    "snare": 7.0,
    **dict.fromkeys(("kick", "tom", "open_hat", "beeps"), 2.5),
    **dict.fromkeys(("clap", "closed_hat", "noise_burst"), 2.0),
}
"""How often each kind is drawn, relative to the others."""

SAID = 0.35
"""How often an attribute is said that a kind has."""

MUCH_SAID = 0.65
"""The same, in a third of training's examples: else what is far from usual in two ways is rare."""

SPLITS: tuple[Split, ...] = ("train", "heldout")


@dataclass(frozen=True)
class Example:
    """One example.

    Attributes:
        audio: float32 `[samples]`, mono, at `SAMPLE_RATE`, `seconds_total` long.
        caption: What the spec says, in words.
        spec: What was asked for.
        facts: What was made.
        seconds_total: Length of the audio in seconds, a multiple of 0.1.
    """

    audio: Signal
    caption: str
    spec: SoundSpec
    facts: Facts
    seconds_total: float


def sample_spec(rng: np.random.Generator, kind: str | None = None, said: float = SAID) -> SoundSpec:
    """Draws what to ask for: some attributes of a kind.

    Args:
        rng: Draws everything.
        kind: A key of `KINDS`; drawn by `WEIGHTS` for None.
        said: How often an attribute is said.
    """
    if kind is None:
        weights = np.array(list(WEIGHTS.values()))
        kind = str(rng.choice(list(WEIGHTS), p=weights / weights.sum()))
    entry = KINDS[kind]
    attributes: dict[str, Any] = {}
    for name, (low, high) in entry.exact.items():
        if rng.random() < 0.6:
            attributes[name] = int(rng.integers(low, high + 1))
    for name, words in entry.words.items():
        # A note is a register already, and a tempo a speed.
        settled = (name == "register" and "midi" in attributes) or (
            name == "speed" and "bpm" in attributes
        )
        if not settled and rng.random() < said:
            attributes[name] = words[int(rng.integers(len(words)))]
    return SoundSpec(kind=kind, **attributes)


def sample_seconds(rng: np.random.Generator, spec: SoundSpec) -> float:
    """Draws a length that a spec fits in: one in ten the longest, others near what it needs."""
    least = int(np.ceil(10 * shortest(spec) - 1e-9))
    most = round(10 * SECONDS)
    if rng.random() < 0.1:
        return SECONDS
    tenths: float = round(least + (most - least) * rng.random() ** 1.5)
    return tenths / 10


def sample_example(rng: np.random.Generator, split: Split = "train") -> Example:
    """Draws one example.

    Args:
        rng: Draws everything.
        split: Which wordings the caption may have.
    """
    much = split == "train" and rng.random() < 1 / 3
    spec = sample_spec(rng, said=MUCH_SAID if much else SAID)
    seconds = sample_seconds(rng, spec)
    text = caption(spec, rng, split)
    sound = render(spec, seconds, rng)
    return Example(sound.audio, text, spec, sound.facts, seconds)


def example(index: int, split: Split = "train", seed: int = 0) -> Example:
    """The example of that number, from 0: it depends on nothing but the arguments."""
    return sample_example(np.random.default_rng([seed, SPLITS.index(split), index]), split)


def write_wav(path: Path, audio: Signal) -> None:
    """Writes a sound, float32 `[samples]`, as a 16-bit WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(audio * 32767).astype("<i2").tobytes())


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes examples to listen to, and what they are in ``captions.txt``."""
    parser = argparse.ArgumentParser(
        prog="python -m audiogen_training.corpus", description=main.__doc__
    )
    parser.add_argument("folder", type=Path, help="where to write")
    parser.add_argument("--count", type=int, default=40, help="how many (%(default)s)")
    parser.add_argument("--split", choices=SPLITS, default="train", help="wordings (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which examples (%(default)s)")
    options = parser.parse_args(arguments)

    options.folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for index in range(options.count):
        item = example(index, options.split, options.seed)
        name = f"{index:04d}_{item.spec.kind}.wav"
        write_wav(options.folder / name, item.audio)
        lines.append(f"{name}\t{item.seconds_total} s\t{item.caption}\n")
    (options.folder / "captions.txt").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
