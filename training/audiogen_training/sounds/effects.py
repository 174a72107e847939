"""Effects: sweeps, sirens, noise, water, lasers and beeps.

A function takes a generator and numbers, and returns a sound of any level, float32 `[samples]`.
Durations are T40s in seconds; rates are in hertz.
"""

from __future__ import annotations

import numpy as np

from audiogen_training.sounds.dsp import (
    TOP_HZ,
    Signal,
    decay,
    glide,
    hold,
    noise,
    oscillate,
    partials,
    ramp,
    sine,
    tail_times,
    times,
    wander,
    wavetable,
)


def sweep(rng: np.random.Generator, *, hz: float, octaves: float, duration: float) -> Signal:
    """A tone that glides by `octaves`, up or down, with `hz` half way."""
    t = times(duration)
    path = hz * 2 ** (octaves * (t / duration - 0.5))
    # Between a sine and a triangle: mellow, and so no laser.
    number = partials(float(path.max()), 7)
    table = wavetable(np.where(number == 1, 1, 0.4 * (number % 2) / number**2))
    return oscillate(table, glide(path)) * hold(t, duration, 0.01, min(0.05, 0.3 * duration))


def siren(rng: np.random.Generator, *, hz: float, rate: float, duration: float) -> Signal:
    """A horn that wails up and down around `hz`, `rate` times a second."""
    t = times(duration)
    path = hz * 2 ** (0.5 * sine(t * rate - 0.25).astype(np.float64))
    number = partials(float(path.max()), 10)
    table = wavetable(1 / number**1.3)
    return oscillate(table, glide(path)) * hold(t, duration, 0.03, 0.06)


def noise_burst(rng: np.random.Generator, *, hz: float, duration: float, attack: float) -> Signal:
    """A wide band of noise that begins and ends at once."""
    release = min(0.06, 0.4 * duration)
    t = times(duration + release)
    band = noise(rng, len(t), hz, 1.0)
    return band * hold(t, duration, min(attack, 0.5 * duration), release)


def wind(rng: np.random.Generator, *, hz: float, duration: float) -> Signal:
    """Noise around `hz` whose pitch and strength rise and fall with the gusts."""
    t = times(duration)
    gusts = np.clip(1.6 * wander(rng, t, rng.uniform(0.6, 1.1)), -1, 1)
    # Neighbouring bands that fade into each other stand for a filter that moves.
    position = 1.3 * gusts
    sound = np.zeros(len(t), dtype=np.float32)
    for band in (-1, 0, 1):
        weight = np.maximum(0, 1 - np.abs(position - band))
        sound += weight * noise(rng, len(t), hz * 2 ** (0.6 * band), 0.22)
    strength = 0.65 + 0.35 * gusts
    out: Signal = sound * strength * hold(t, duration, 0.25, 0.3)
    return out


def water_drop(rng: np.random.Generator, *, hz: float) -> Signal:
    """A bubble: a tone that rises quickly while it dies away; at times a second follows."""
    sound = np.zeros(len(times(0.5)), dtype=np.float32)
    start = 0.0
    for level in (1.0, 0.4)[: int(rng.integers(1, 3))]:
        duration = 0.14
        t = tail_times(duration)
        path = hz * 2 ** (1.1 * np.minimum(t / 0.12, 1.5))
        drop = ramp(t, 0.004) * sine(glide(np.minimum(path, TOP_HZ))) * decay(t, duration)
        first = len(times(start))
        sound[first : first + len(t)] += np.float32(level) * drop[: len(sound) - first]
        start += 0.13
        hz *= 1.25
    return sound


def laser(rng: np.random.Generator, *, hz: float, duration: float) -> Signal:
    """A buzzing tone that falls from `hz` ever more slowly: a toy's ray gun."""
    t = times(1.15 * duration)
    low = hz / 11
    path = low + (hz - low) * np.exp(-t / (0.24 * duration))
    number = partials(hz, 8)
    table = wavetable(1 / number**0.8)
    return oscillate(table, glide(path)) * hold(t, duration, 0.003, 0.7 * duration)


def beeps(rng: np.random.Generator, *, hz: float, rate: float, duration: float) -> Signal:
    """The same short tone again and again, `rate` times a second."""
    t = times(duration)
    number = partials(hz, 5)
    table = wavetable(np.where(number == 1, 1, 0.12 * (number % 2)))
    part = 0.5
    beat = t * rate
    within = (beat - np.floor(beat)) / rate
    gate = ramp(within, 0.006) * ramp(part / rate - within, 0.006)
    # A beep that would be cut is left out.
    whole = np.floor(beat) + part <= duration * rate
    return oscillate(table, t * hz) * gate * whole
