"""The measures of the evaluation, checked on sounds whose facts are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from audiogen_training.captions import tokenize
from audiogen_training.corpus import sample_seconds, sample_spec
from audiogen_training.evaluation.frechet import frechet_distance
from audiogen_training.evaluation.measures import centroid, pitch, slope, t40, tempo
from audiogen_training.evaluation.prompts import PAIRS, SHARES, prompts
from audiogen_training.sounds import KINDS, Rendered, SoundSpec, render
from audiogen_training.sounds.dsp import Signal

TONAL = [name for name, kind in KINDS.items() if "midi" in kind.exact]


def drawn(kind: str, rng: np.random.Generator) -> Rendered:
    """A rendering of the kind, whatever else is said about it."""
    spec = sample_spec(rng, kind)
    return render(spec, sample_seconds(rng, spec), rng)


def noisy(audio: Signal, rng: np.random.Generator) -> Signal:
    """The sound on a floor of noise 45 dB below full scale."""
    return audio + np.float32(10 ** (-45 / 20)) * rng.standard_normal(len(audio), np.float32)


@pytest.mark.parametrize("kind", TONAL)
def test_pitch_is_the_note_in_its_octave(kind: str) -> None:
    """The pitch of every kind that has a note, or of a chord's root, is within half a semitone."""
    rng = np.random.default_rng(1)
    for _ in range(3):
        sound = drawn(kind, rng)
        assert sound.facts.midi is not None
        heard = 69 + 12 * np.log2(pitch(noisy(sound.audio, rng)) / 440)
        assert heard == pytest.approx(sound.facts.midi, abs=0.5)


@pytest.mark.parametrize("kind", ["rising_sweep", "falling_sweep"])
def test_slope_is_the_speed_of_a_sweep(kind: str) -> None:
    """The slope of a sweep has its sign, and nearly its size."""
    rng = np.random.default_rng(2)
    for _ in range(4):
        sound = drawn(kind, rng)
        assert slope(noisy(sound.audio, rng)) == pytest.approx(sound.facts.slope, rel=0.1)


@pytest.mark.parametrize("bpm", [80, 101, 127, 160])
def test_tempo_has_no_error_by_an_octave(bpm: int) -> None:
    """The tempo of a loop is right to one percent, at both ends of the range too."""
    rng = np.random.default_rng(bpm)
    loop = render(SoundSpec(kind="four_on_the_floor", bpm=bpm), 4.0, rng)
    assert loop.facts.bpm is not None
    assert abs(loop.facts.bpm - bpm) <= 1
    assert tempo(noisy(loop.audio, rng)) == pytest.approx(loop.facts.bpm, rel=0.01)


@pytest.mark.parametrize("kind", ["kick", "bell", "organ", "noise_burst"])
@pytest.mark.parametrize("length", ["short", "long"])
def test_t40_is_the_duration(kind: str, length: str) -> None:
    """The T40 of a clean sound is that which it was made with."""
    sound = render(SoundSpec(kind=kind, length=length), 3.0, np.random.default_rng(3))
    assert t40(sound.audio) == pytest.approx(sound.facts.duration, rel=0.15, abs=0.03)


@pytest.mark.parametrize(
    ("attribute", "measure"),
    [("register", centroid), ("brightness", centroid), ("length", t40)],
)
def test_pairs_are_in_order(attribute: str, measure: Callable[[Signal], float]) -> None:
    """For every kind, the measure of a word is below that of its opposite, noise or not."""
    rng = np.random.default_rng(4)
    for name, kind in KINDS.items():
        if attribute not in kind.words:
            continue
        note = 60 if attribute == "brightness" and "midi" in kind.exact else None
        note = 48 if note and name == "bass" else note
        heard = []
        for word in PAIRS[attribute]:
            said: dict[str, Any] = {attribute: word}
            spec = replace(SoundSpec(kind=name, midi=note), **said)
            heard.append(measure(noisy(render(spec, 3.0, rng).audio, rng)))
        assert heard[0] < heard[1], name


def test_silence_can_be_measured() -> None:
    """A model that makes silence gets numbers, and no error."""
    silence = np.zeros(30_000, dtype=np.float32)
    for measure in (pitch, slope, tempo, t40, centroid):
        assert np.isfinite(measure(silence))


def test_frechet_distance_of_normal_sets() -> None:
    """Equal sets are at distance zero; a shift and a stretch add what theory says."""
    values = torch.randn(4000, 3, generator=torch.Generator().manual_seed(5))
    values = values - values.mean(0)
    assert frechet_distance(values, values) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(values, values + 2) == pytest.approx(12, rel=1e-6)
    trace = float(values.var(0).sum())
    assert frechet_distance(values, 3 * values) == pytest.approx(4 * trace, rel=1e-5)


def test_prompts_cover_every_measure() -> None:
    """Prompts are the same again for a seed, and pairs differ in the words of one attribute."""
    asked = prompts(100, 0)
    assert asked == prompts(100, 0)
    assert {one.measure for one in asked} == set(SHARES)
    pairs = [one for one in asked if one.measure in PAIRS]
    for less, more in zip(pairs[::2], pairs[1::2], strict=True):
        words = PAIRS[less.measure]
        assert (getattr(less.spec, less.measure), getattr(more.spec, less.measure)) == words
        assert len(set(tokenize(less.caption)) ^ set(tokenize(more.caption))) <= 8
