"""Drums, and the loop that is made of them.

A function takes a generator and numbers, and returns a sound of any level, float32 `[samples]`.
Durations are T40s in seconds; brightness goes from 0 (dark) to 1 (bright).
"""

from __future__ import annotations

import numpy as np

from audiogen_training.sounds.dsp import (
    SAMPLE_RATE,
    Signal,
    decay,
    either,
    glide,
    noise,
    ramp,
    sine,
    tail_times,
    times,
)


def kick(rng: np.random.Generator, *, duration: float, brightness: float) -> Signal:
    """A sine that falls to about 50 Hz; brightness adds saturation and a click."""
    t = tail_times(duration)
    rest = either(rng, 47, 56)
    fall = 3.2 * (0.7 + 0.6 * brightness)
    hz = rest * (1 + fall * np.exp(-t / 0.025))
    # Saturating before the envelope leaves the decay as it is.
    drive = 0.3 + 4.5 * brightness**2
    bent: Signal = np.tanh(np.float32(drive) * sine(glide(hz)))
    body: Signal = bent / np.float32(np.tanh(drive))
    click = noise(rng, len(t), 900 + 2600 * brightness, 0.7) * decay(t, 0.01 + 0.04 * brightness)
    return ramp(t, 0.001) * (
        body * decay(t, duration) + np.float32(0.03 + 0.5 * brightness**2) * click
    )


def snare(rng: np.random.Generator, *, duration: float, brightness: float) -> Signal:
    """Two modes of the skin under the noise of the wires, which brightness raises."""
    t = tail_times(duration)
    skin = either(rng, 175, 210)
    bend = 1 + 0.25 * np.exp(-t / 0.012)
    tone = sine(glide(skin * bend)) + 0.6 * sine(glide(skin * 1.7 * bend))
    wires = noise(rng, len(t), 1500 * 4.5**brightness, 0.8)
    return ramp(t, 0.001) * (
        np.float32(0.8 - 0.6 * brightness) * tone * decay(t, min(0.18, 0.7 * duration))
        + wires * decay(t, duration)
    )


def clap(rng: np.random.Generator, *, duration: float, brightness: float) -> Signal:
    """Three or four bursts of noise about 10 ms apart, and the room after the last."""
    t = tail_times(duration)
    gap = 0.011
    bursts = int(rng.integers(3, 5))
    envelope = np.zeros(len(t), dtype=np.float32)
    for number in range(bursts):
        since = t - number * gap
        last = number == bursts - 1
        shape = decay(np.maximum(since, 0), max(duration - number * gap, 0.03) if last else 0.02)
        envelope += ramp(since, 0.002) * shape * np.float32(0.9)
    hz = 750 * 4**brightness
    return envelope * noise(rng, len(t), hz, 0.45)


def hat(rng: np.random.Generator, *, duration: float, brightness: float) -> Signal:
    """A high band of noise and six metallic partials; its duration makes it closed or open."""
    t = tail_times(duration)
    hz = 4300 * 2.7**brightness
    metal = np.zeros(len(t), dtype=np.float32)
    for ratio in (0.71, 0.83, 0.98, 1.13, 1.27, 1.44):
        metal += sine(t * hz * ratio)
    return ramp(t, 0.001) * (noise(rng, len(t), hz, 0.4) + 0.3 * metal) * decay(t, duration)


def tom(rng: np.random.Generator, *, hz: float, duration: float) -> Signal:
    """The first modes of a round skin, with a slight fall in pitch when it is struck."""
    t = tail_times(duration)
    bend = 1 + 0.4 * np.exp(-t / 0.045)
    sound = sine(glide(hz * bend)) * decay(t, duration)
    for ratio, level in ((1.59, 0.35), (2.14, 0.2), (2.65, 0.12)):
        sound += np.float32(level) * sine(glide(hz * ratio * bend)) * decay(t, 0.5 * duration)
    stick = noise(rng, len(t), 1500, 0.8) * decay(t, 0.02)
    return ramp(t, 0.0015) * (sound + np.float32(0.08) * stick)


def loop(rng: np.random.Generator, *, bpm: float, duration: float) -> Signal:
    """Four on the floor: a kick on each beat, a hat between, a snare or a clap on two and four."""
    beat = 60 / bpm
    back = clap if rng.random() < 0.5 else snare
    low = kick(rng, duration=0.25, brightness=0.5)
    high = hat(rng, duration=0.08, brightness=0.5)
    middle = back(rng, duration=0.2, brightness=0.5)
    sound = np.zeros(len(times(duration)), dtype=np.float32)

    def strike(drum: Signal, at: float, level: float) -> None:
        start = round(at * SAMPLE_RATE)
        room = sound[start : start + len(drum)]
        room += drum[: len(room)] * np.float32(level / np.abs(drum).max())

    for number in range(int(np.ceil(duration / beat))):
        strike(low, number * beat, 1.0)
        if number % 2:
            strike(middle, number * beat, 0.55)
        strike(high, (number + 0.5) * beat, 0.3)
    return sound
