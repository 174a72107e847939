"""What is asked of the model: held-out captions of specs, with lengths and seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from audiogen_training.captions import AFTER, BEFORE, caption, tokenize
from audiogen_training.corpus import SECONDS, sample_seconds, sample_spec
from audiogen_training.sounds import KINDS, SoundSpec

SHARES: Mapping[str, int] = {
    "pitch": 20,
    "register": 14,
    "brightness": 14,
    "length": 14,
    "sweep": 6,
    "tempo": 8,
    "class": 24,
}
"""Of a hundred samples, how many are made for each measure. The class is judged of all."""

PAIRS: Mapping[str, tuple[str, str]] = {
    "register": ("low", "high"),
    "brightness": ("dark", "bright"),
    "length": ("short", "long"),
}
"""The measures that compare two samples, with the words that the two ask for, the lesser first."""

PAIR_SECONDS = 3.0
"""The length of both sounds of a pair: it says nothing about either."""


@dataclass(frozen=True)
class Prompt:
    """One sample to make.

    Attributes:
        measure: What it is for: a key of `SHARES`. Samples of pairs follow each other.
        spec: What the caption says.
        caption: A wording that training never made.
        seconds: ``seconds_total``.
        seed: For the model's noise.
    """

    measure: str
    spec: SoundSpec
    caption: str
    seconds: float
    seed: int


def prompts(count: int, seed: int) -> list[Prompt]:
    """About `count` prompts, shared out among the measures, each over all kinds it concerns."""
    made: list[Prompt] = []
    for number, (measure, share) in enumerate(SHARES.items()):
        rng = np.random.default_rng([seed, number])
        wanted = max(2, round(count * share / 100))
        made += (
            _pairs(measure, rng, wanted // 2) if measure in PAIRS else _single(measure, rng, wanted)
        )
    return made


def class_prompts(count: int, seed: int) -> list[Prompt]:
    """Prompts for the kinds in turn."""
    return _single("class", np.random.default_rng([seed, len(SHARES)]), count)


def _single(measure: str, rng: np.random.Generator, count: int) -> list[Prompt]:
    return list(islice((_prompt(measure, spec, rng) for spec in _specs(measure, rng)), count))


def _prompt(measure: str, spec: SoundSpec, rng: np.random.Generator) -> Prompt:
    seconds = SECONDS if measure == "tempo" else sample_seconds(rng, spec)
    return Prompt(measure, spec, caption(spec, rng, "heldout"), seconds, _seed(rng))


def _specs(measure: str, rng: np.random.Generator) -> Iterator[SoundSpec]:
    """What to ask for, endlessly: all kinds that a measure concerns, one after the other."""
    exact = {"pitch": "midi", "tempo": "bpm"}.get(measure)
    kinds = [
        name
        for name, kind in KINDS.items()
        if measure == "class"
        or exact in kind.exact
        or measure in kind.words
        or (measure == "sweep" and name in {"rising_sweep", "falling_sweep"})
    ]
    while True:
        for kind in map(str, rng.permutation(kinds)):
            spec = sample_spec(rng, kind)
            entry = KINDS[kind]
            if measure == "register":
                spec = replace(spec, midi=None)
            # A note's height would outweigh its brightness, if it were left open.
            elif "midi" in entry.exact and measure in {"pitch", "brightness"}:
                spec = replace(spec, midi=_even(entry.exact["midi"], rng), register=None)
            elif measure == "tempo":
                spec = replace(spec, bpm=_even(entry.exact["bpm"], rng), speed=None)
            yield spec


def _even(limits: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(limits[0], limits[1] + 1))


def _pairs(measure: str, rng: np.random.Generator, count: int) -> list[Prompt]:
    """Pairs that differ in one word of the spec only."""
    made: list[Prompt] = []
    for base in islice(_specs(measure, rng), count):
        less, more = (_with(base, measure, word) for word in PAIRS[measure])
        for one, text in zip((less, more), _alike(less, more, measure, rng), strict=True):
            made.append(Prompt(measure, one, text, PAIR_SECONDS, _seed(rng)))
    return made


def _with(spec: SoundSpec, attribute: str, word: str) -> SoundSpec:
    change: dict[str, Any] = {attribute: word}
    return replace(spec, **change)


def _alike(
    less: SoundSpec, more: SoundSpec, measure: str, rng: np.random.Generator
) -> tuple[str, str]:
    """Captions of two specs with the same wording, but for what the two words of a pair make."""
    texts = [text for word in PAIRS[measure] for text in (*BEFORE[word], *AFTER[word])]
    differing = {"a", "an", *(token for text in texts for token in tokenize(text))}
    while True:
        seed = _seed(rng)
        low, high = (caption(one, np.random.default_rng(seed), "heldout") for one in (less, more))
        rests = [[one for one in tokenize(text) if one not in differing] for text in (low, high)]
        if rests[0] == rests[1]:
            return low, high


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
