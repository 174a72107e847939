"""Compares what the measures hear with what the captions say."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audiogen_training.evaluation import measures
from audiogen_training.evaluation.classifier import Judgement
from audiogen_training.evaluation.prompts import PAIRS, SHARES, Prompt
from audiogen_training.sounds.dsp import Signal

GOALS: Mapping[str, float] = {
    "pitch": 0.8,
    "register": 0.9,
    "brightness": 0.9,
    "length": 0.9,
    "sweep": 0.95,
    "tempo": 0.8,
    "class": 0.9,
}
"""The least share of samples, or of pairs, that a good model gets right."""

MEANING: Mapping[str, str] = {
    "pitch": "pitch within a semitone of the note",
    "register": "spectral centroid of low below high",
    "brightness": "spectral centroid of dark below bright",
    "length": "T40 of short below long",
    "sweep": "sign of a sweep's slope",
    "tempo": "tempo of a loop within 3 %",
    "class": "kind of the sound, by the classifier",
}


@dataclass(frozen=True)
class Verdict:
    """What was heard in one sample, or in a pair.

    Attributes:
        measure: A key of `SHARES`.
        kind: The kind of the sound.
        caption: What was asked for; of a pair, both.
        seed: Of the sample, or of a pair's first.
        wanted: What should be heard.
        heard: What is heard: hertz, seconds, octaves a second, beats a minute, or a kind.
        right: Whether that fits.
    """

    measure: str
    kind: str
    caption: str
    seed: int
    wanted: float | str
    heard: float | str
    right: bool


def verdicts(
    asked: Sequence[Prompt], sounds: Sequence[Signal], judgement: Judgement
) -> list[Verdict]:
    """Judges sounds by their own prompts.

    Args:
        asked: The prompts; pairs follow each other.
        sounds: What came of them.
        judgement: What the classifier says about the sounds.
    """
    made: list[Verdict] = []
    pairs = [index for index, one in enumerate(asked) if one.measure in PAIRS]
    for prompt, sound, kind in zip(asked, sounds, judgement.kinds(), strict=True):
        wanted = prompt.spec.kind
        made.append(_verdict(replace(prompt, measure="class"), wanted, kind, kind == wanted))
        if prompt.measure in _SINGLE:
            made.append(_SINGLE[prompt.measure](prompt, sound))
    for less, more in zip(pairs[::2], pairs[1::2], strict=True):
        made.append(_pair((asked[less], asked[more]), (sounds[less], sounds[more])))
    return made


def shares(judged: Sequence[Verdict]) -> dict[str, float]:
    """The share that is right of each measure."""
    return {
        measure: float(np.mean([one.right for one in judged if one.measure == measure]))
        for measure in SHARES
    }


def shares_by_kind(judged: Sequence[Verdict]) -> dict[str, float]:
    """The share of each kind that the classifier recognises."""
    right = defaultdict(list)
    for one in judged:
        if one.measure == "class":
            right[one.kind].append(one.right)
    return {kind: float(np.mean(of)) for kind, of in sorted(right.items())}


def _verdict(prompt: Prompt, wanted: float | str, heard: float | str, right: bool) -> Verdict:
    kind = prompt.spec.kind
    return Verdict(prompt.measure, kind, prompt.caption, prompt.seed, wanted, heard, right)


def _pitch(prompt: Prompt, sound: Signal) -> Verdict:
    wanted = 440 * 2 ** (((prompt.spec.midi or 0) - 69) / 12)
    heard = measures.pitch(sound)
    right = abs(12 * math.log2(heard / wanted)) < 1
    return _verdict(prompt, round(wanted, 2), round(heard, 2), right)


def _sweep(prompt: Prompt, sound: Signal) -> Verdict:
    sign = 1.0 if prompt.spec.kind == "rising_sweep" else -1.0
    heard = measures.slope(sound)
    return _verdict(prompt, sign, round(heard, 2), sign * heard > 0)


def _tempo(prompt: Prompt, sound: Signal) -> Verdict:
    wanted = float(prompt.spec.bpm or 0)
    heard = measures.tempo(sound)
    return _verdict(prompt, wanted, round(heard, 2), abs(heard / wanted - 1) < 0.03)


_SINGLE: Mapping[str, Callable[[Prompt, Signal], Verdict]] = {
    "pitch": _pitch,
    "sweep": _sweep,
    "tempo": _tempo,
}


def _pair(asked: tuple[Prompt, Prompt], sounds: tuple[Signal, Signal]) -> Verdict:
    measure = measures.t40 if asked[0].measure == "length" else measures.centroid
    less, more = map(measure, sounds)
    both = replace(asked[0], caption=" / ".join(one.caption for one in asked))
    return _verdict(both, "less / more", f"{less:.3g} / {more:.3g}", less < more)
