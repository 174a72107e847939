"""What guidance and negative prompts change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch

from audiogen_training.evaluation.classifier import NAMES, Classifier
from audiogen_training.evaluation.generate import Generator, Sample, Settings
from audiogen_training.evaluation.measures import centroid
from audiogen_training.evaluation.prompts import class_prompts
from audiogen_training.sounds.dsp import Signal

SCALES = (1.0, 2.0, 3.0, 4.5, 7.0)

NEGATED: Mapping[tuple[str, str], str] = {
    ("drum hit", "snare drum"): "snare",
    ("drum hit", "kick drum"): "kick",
    ("hi-hat", "open hi-hat"): "open_hat",
    ("chord", "minor chord"): "minor_chord",
    ("chord", "major chord"): "major_chord",
    ("sweep", "rising sweep"): "rising_sweep",
    ("sweep", "falling sweep"): "falling_sweep",
}
"""From a prompt that may be several kinds, and a negative prompt, to the kind that is unwanted."""

TONES = ("saw", "square wave", "organ", "bell")
"""What may be bright or dark, and is neither when a caption says nothing."""


def by_scale(
    generator: Generator, classifier: Classifier, settings: Settings, count: int, seed: int
) -> list[dict[str, float]]:
    """Accuracy of the classifier, and the mean probability of what was asked, for each scale.

    Args:
        generator: The model.
        classifier: The judge.
        settings: All but the scale.
        count: How many samples for each scale: the same prompts and seeds for all.
        seed: Of the prompts.
    """
    asked = class_prompts(count, seed)
    samples = [Sample(one.caption, one.seconds, one.seed) for one in asked]
    kinds = torch.tensor([NAMES.index(one.spec.kind) for one in asked])
    rows = []
    for scale in SCALES:
        sounds = generator.make(samples, replace(settings, cfg_scale=scale), f"scale_{scale:g}")
        probabilities = classifier.judge(sounds).probabilities
        right = (probabilities.argmax(1) == kinds).float()
        asked_for = probabilities.gather(1, kinds[:, None])
        rows.append(
            {
                "cfg_scale": scale,
                "accuracy": round(float(right.mean()), 4),
                "probability": round(float(asked_for.mean()), 4),
            }
        )
    return rows


def negative_prompts(
    generator: Generator, classifier: Classifier, settings: Settings, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """What each negative prompt does to what it names, with the same seeds as without it.

    Of a kind, it is the classifier's mean probability of it; of "bright" and "dark", the geometric
    mean of the spectral centroid in hertz.
    """

    @cache
    def make(prompt: str, negative: str | None) -> list[Signal]:
        samples = [Sample(prompt, 2.0, seed, negative) for seed in seeds]
        name = f"{prompt} without {negative}" if negative else prompt
        return generator.make(samples, settings, name.replace(" ", "_"))

    def probability(kind: str, sounds: list[Signal]) -> float:
        return float(classifier.judge(sounds).probabilities[:, NAMES.index(kind)].mean())

    def height(sounds: list[Signal]) -> float:
        return float(np.exp(np.mean([np.log(max(1.0, centroid(one))) for one in sounds])))

    rows = []
    for (prompt, negative), kind in NEGATED.items():
        without, with_it = (probability(kind, make(prompt, one)) for one in (None, negative))
        rows.append(_row(prompt, negative, f"probability of {kind}", without, with_it, -1))
    for tone in TONES:
        prompt = f"{tone} at c4"
        for word, sign in (("bright", -1), ("dark", 1)):
            negative = f"{word} {tone}"
            without, with_it = (height(make(prompt, one)) for one in (None, negative))
            rows.append(_row(prompt, negative, "centroid in Hz", without, with_it, sign))
    return rows


def _row(
    prompt: str, negative: str, quantity: str, without: float, with_it: float, sign: int
) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "negative_prompt": negative,
        "quantity": quantity,
        "without": float(f"{without:.4g}"),
        "with": float(f"{with_it:.4g}"),
        "moved_away": sign * (with_it - without) > 0,
    }
