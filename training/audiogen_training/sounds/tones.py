"""Sounds with a pitch, and the chords that are made of them.

A function takes a generator and numbers, and returns a sound of any level, float32 `[samples]`.
Durations are T40s in seconds; brightness goes from 0 (dark) to 1 (bright). The fundamental is the
strongest partial of every tone, so that its pitch can be read from a spectrum. Oscillators start
at the beginning of their period, as those of many synthesisers do: a note is the same waveform each
time, which should be easier for a small network than every possible phase of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from audiogen_training.sounds.dsp import (
    SAMPLE_RATE,
    TOP_HZ,
    Floats,
    Signal,
    decay,
    hold,
    mix,
    oscillate,
    partials,
    ramp,
    tail_times,
    times,
    wavetable,
)
from audiogen_training.sounds.dsp import sine as sine_of


def _filtered(number: Floats, hz: float, brightness: float) -> Floats:
    """A low-pass filter's gain at each harmonic: it follows the pitch; brightness opens it."""
    corner = 2.2 * 14**brightness * max(1.0, 262 / hz) ** 0.5
    gain: Floats = number ** (0.2 * brightness) / (1 + (number / corner) ** 4) ** 0.5
    return gain


def _held(
    rng: np.random.Generator, table: Signal, hz: float, duration: float, attack: float
) -> Signal:
    release = min(0.05, 0.3 * duration)
    t = times(duration + release)
    attack = min(attack, 0.5 * duration)
    return oscillate(table, t * hz) * hold(t, duration, attack, release)


def sine(rng: np.random.Generator, *, hz: float, duration: float, attack: float) -> Signal:
    """A pure tone."""
    return _held(rng, wavetable(np.ones(1)), hz, duration, attack)


def saw(
    rng: np.random.Generator, *, hz: float, duration: float, attack: float, brightness: float
) -> Signal:
    """A sawtooth, band-limited, behind a low-pass filter."""
    number = partials(hz)
    table = wavetable(1 / number * _filtered(number, hz, brightness))
    return _held(rng, table, hz, duration, attack)


def square(
    rng: np.random.Generator, *, hz: float, duration: float, attack: float, brightness: float
) -> Signal:
    """A square wave, band-limited, behind a low-pass filter: odd harmonics only."""
    number = partials(hz)
    amplitudes = 1 / number * _filtered(number, hz, brightness)
    return _held(rng, wavetable(amplitudes * (number % 2)), hz, duration, attack)


def organ(
    rng: np.random.Generator, *, hz: float, duration: float, attack: float, brightness: float
) -> Signal:
    """Drawbars, which brightness pulls, at the harmonics 1 to 6 and 8, with a tremulant."""
    amplitudes = np.zeros(8)
    drawn = np.array([0.7, 0.5, 0.5, 0.45, 0.45, 0.45])
    # Dark leaves a little of the octave, so that the organ stays more than a sine.
    amplitudes[[1, 2, 3, 4, 5, 7]] = drawn * np.maximum(brightness, [0.35, 0.2, 0.1, 0, 0, 0])
    amplitudes[0] = 1
    table = wavetable(amplitudes[: len(partials(hz))])
    sound = _held(rng, table, hz, duration, attack)
    t = np.arange(len(sound)) / SAMPLE_RATE
    tremulant = 1 + 0.14 * sine_of(t * 6.2)
    return sound * tremulant.astype(np.float32)


def bell(rng: np.random.Generator, *, hz: float, duration: float, brightness: float) -> Signal:
    """A struck bell: partials that are no harmonics, of which the higher die away sooner."""
    t = tail_times(duration)
    sound = sine_of(t * hz) * decay(t, duration)
    for ratio, level in ((2.0, 0.5), (2.76, 0.6), (4.1, 0.5), (5.4, 0.55), (6.8, 0.4), (8.9, 0.35)):
        partial = hz * ratio
        if partial < TOP_HZ:
            gain = 1.5 * level * (0.1 + 0.9 * brightness) ** (0.4 + 0.35 * ratio**0.7)
            shorter = duration / (1 + (0.5 - 0.4 * brightness) * (ratio - 1) ** 0.7)
            sound += np.float32(gain) * sine_of(t * partial) * decay(t, shorter)
    return ramp(t, 0.0015) * sound


def pluck(rng: np.random.Generator, *, hz: float, duration: float, brightness: float) -> Signal:
    """A plucked string: a comb of harmonics, of which the higher die away sooner.

    Harmonics of one octave share a decay, as they nearly do on a string: a wavetable each.
    """
    t = tail_times(duration)
    cycles = t * hz
    number = partials(hz)
    # Where the string is plucked takes harmonics out.
    comb = np.abs(np.sin(np.pi * number * 0.16))
    tilt = 1.6 - 0.8 * brightness
    amplitudes = comb / comb[0] * number**-tilt * _filtered(number, hz, brightness) * 0.8
    amplitudes[0] = 1
    sound = np.zeros(len(t), dtype=np.float32)
    for octave in range(int(np.log2(len(number))) + 1):
        shared = amplitudes * (np.floor(np.log2(number)) == octave)
        shorter = duration / (1 + (1.1 - 0.7 * brightness) * octave)
        sound += oscillate(wavetable(shared), cycles) * decay(t, shorter)
    return ramp(t, 0.002) * sound


def bass(rng: np.random.Generator, *, hz: float, duration: float, brightness: float) -> Signal:
    """A synthesiser's bass: a sawtooth whose filter closes while it dies away."""
    t = tail_times(duration)
    cycles = t * hz
    number = partials(hz)
    opened = wavetable(_filtered(number, hz, brightness) / number)
    closed = wavetable(_filtered(number, hz, 0.5 * brightness - 0.1) / number**1.3)
    closing = decay(t, 0.65 * duration)
    sound = oscillate(opened, cycles) * closing + oscillate(closed, cycles) * (1 - closing)
    return ramp(t, 0.004) * sound * decay(t, duration)


def pad(rng: np.random.Generator, *, hz: float, duration: float, brightness: float) -> Signal:
    """Three detuned sawtooths that come and go slowly."""
    attack = min(0.35, 0.4 * duration)
    release = min(0.4, 0.4 * duration)
    t = times(duration)
    number = partials(hz)
    table = wavetable(_filtered(number, hz, 0.9 * brightness - 0.05) / number)
    # The voices start nearly together and the middle is the strongest: no beat silences the tone.
    sound = oscillate(table, t * hz)
    for side in (-6, 6):
        voice = hz * 2 ** (side / 1200)
        sound += np.float32(0.4) * oscillate(table, t * voice)
    return sound * hold(t, duration - 0.064 * release, attack, release)


def _steady(player: Callable[..., Signal]) -> Callable[..., Signal]:
    def play(rng: np.random.Generator, *, hz: float, duration: float, brightness: float) -> Signal:
        return player(rng, hz=hz, duration=duration, brightness=brightness, attack=0.015)

    return play


INSTRUMENTS: Mapping[str, Callable[..., Signal]] = {
    "organ": _steady(organ),
    "saw": _steady(saw),
    "pluck": pluck,
    "pad": pad,
    "bell": bell,
}
"""What may play a chord."""


def _chord(
    rng: np.random.Generator,
    third: int,
    hz: float,
    duration: float,
    brightness: float,
    instrument: str,
) -> Signal:
    return mix(
        [
            np.float32(level)
            * INSTRUMENTS[instrument](
                rng, hz=hz * 2 ** (semitones / 12), duration=duration, brightness=brightness
            )
            # The root is the strongest, so that it can be read from a spectrum.
            for semitones, level in ((0, 1.0), (third, 0.7), (7, 0.6))
        ]
    )


def major(
    rng: np.random.Generator, *, hz: float, duration: float, brightness: float, instrument: str
) -> Signal:
    """The major triad on `hz`, in root position."""
    return _chord(rng, 4, hz, duration, brightness, instrument)


def minor(
    rng: np.random.Generator, *, hz: float, duration: float, brightness: float, instrument: str
) -> Signal:
    """The minor triad on `hz`, in root position."""
    return _chord(rng, 3, hz, duration, brightness, instrument)
