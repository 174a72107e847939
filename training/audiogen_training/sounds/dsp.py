"""What the sounds are built from: phases, wavetables, envelopes and shaped noise.

All signals are float32 `[samples]` at `SAMPLE_RATE`. Lengths of sounds are T40s: the time, in
seconds, after which the envelope stays 40 dB below its peak. Unlike a T60, it is still above the
noise floor of a model's output, so that it can be measured there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44_100
"""Hertz."""

TOP_HZ = 17_000.0
"""No partial lies above."""

PEAK = 0.8
"""The largest absolute value of every finished sound: 1.9 dB below full scale."""

TABLE_SIZE = 16_384
"""Points in one period: linear interpolation keeps the 250 partials of a low note 55 dB clean."""

Signal = NDArray[np.float32]
Floats = NDArray[np.float64]


def times(seconds: float) -> Floats:
    """The time of each sample of a signal that is `seconds` long, in seconds `[samples]`."""
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def tail_times(t40: float) -> Floats:
    """The times `[samples]` of an exponential decay, until it is 64 dB down."""
    return times(1.6 * t40)


def glide(hz: Floats) -> Floats:
    """The phase in cycles `[samples]` of a tone whose frequency moves along `hz` `[samples]`."""
    return np.cumsum(hz) / SAMPLE_RATE


def sine(cycles: Floats) -> Signal:
    """A sine of the given phase, in cycles `[samples]`."""
    # The whole cycles go first: single precision is enough for what is left.
    angle: Signal = (cycles - np.floor(cycles)).astype(np.float32) * np.float32(2 * np.pi)
    return np.sin(angle)


def partials(hz: float, most: int = 300) -> Floats:
    """The numbers 1, 2, ... `[partials]` of the harmonics of `hz` that stay below `TOP_HZ`."""
    return np.arange(1.0, 1 + max(1, min(most, int(TOP_HZ / hz))))


def wavetable(amplitudes: Floats) -> Signal:
    """One period of a harmonic tone, `[TABLE_SIZE + 1]`, with no DC.

    Args:
        amplitudes: Of the first, second, ... harmonic `[partials]`, without those too high.
    """
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=np.complex128)
    spectrum[1 : 1 + len(amplitudes)] = -1j * amplitudes
    period = np.fft.irfft(spectrum, TABLE_SIZE) * (TABLE_SIZE / 2)
    return np.append(period, period[0]).astype(np.float32)


def oscillate(table: Signal, cycles: Floats) -> Signal:
    """Reads a wavetable at the given phase, in cycles `[samples]`, with linear interpolation."""
    position = (cycles - np.floor(cycles)) * TABLE_SIZE
    index = position.astype(np.int32)
    fraction = (position - index).astype(np.float32)
    left = table[index]
    return left + fraction * (table[index + 1] - left)


def decay(t: Floats, t40: float) -> Signal:
    """An exponential decay from one over the times `t` `[samples]`."""
    nepers: Signal = t.astype(np.float32) * np.float32(-np.log(100) / t40)
    return np.exp(nepers)


def ramp(t: Floats, seconds: float) -> Signal:
    """A smooth rise from zero at `t` = 0 to one at `seconds`, clamped outside `[samples]`."""
    angle: Signal = np.clip(t / seconds, 0, 1).astype(np.float32) * np.float32(np.pi / 2)
    root: Signal = np.sin(angle)
    return root * root


def hold(t: Floats, t40: float, attack: float, release: float) -> Signal:
    """The envelope of a tone that is held: a smooth rise, one, and a smooth fall.

    Args:
        t: Times `[samples]`.
        t40: When the fall is 40 dB down, in seconds.
        attack: Time of the rise in seconds.
        release: Time of the fall in seconds.
    """
    # A squared sine is 40 dB down 6 % before its end.
    return ramp(t, attack) * ramp(t40 + 0.064 * release - t, release)


def noise(rng: np.random.Generator, samples: int, hz: float, octaves: float) -> Signal:
    """Noise `[samples]` with unit RMS in a band, a Gaussian over the logarithm of frequency.

    Args:
        rng: Draws the noise.
        samples: How many.
        hz: The centre of the band.
        octaves: The standard deviation of the band's amplitude.
    """
    # The spectrum is drawn, not transformed; a multiple of 2048 keeps the inverse transform fast.
    size = -(-samples // 2048) * 2048
    count = size // 2
    octave = np.log2(np.arange(1, count + 1, dtype=np.float32) * (SAMPLE_RATE / size / hz))
    band = np.exp(octave * octave * np.float32(-0.5 / octaves**2))
    spectrum = np.zeros(count + 1, dtype=np.complex64)
    spectrum[1:].real = band * rng.standard_normal(count, dtype=np.float32)
    spectrum[1:].imag = band * rng.standard_normal(count, dtype=np.float32)
    out = np.fft.irfft(spectrum, size)[:samples].astype(np.float32)
    return out / np.float32(np.sqrt(np.mean(out * out)) + 1e-9)


def either(rng: np.random.Generator, one: float, other: float) -> float:
    """One of two numbers.

    What nothing is said of varies in steps: between them a small network would blur.
    """
    return one if rng.random() < 0.5 else other


def wander(rng: np.random.Generator, t: Floats, hz: float) -> Signal:
    """A slow random curve between -1 and 1 `[samples]`: three sines around the rate `hz`."""
    rates = hz * rng.uniform(0.4, 1.3, 3)
    starts = rng.uniform(0, 1, 3)
    # It moves slowly: a few points, joined by lines, are the same curve.
    knots = np.linspace(0, t[-1], 1 + round(40 * t[-1] * max(1.0, hz)))
    curve = np.mean(np.sin(2 * np.pi * (rates[:, None] * knots + starts[:, None])), axis=0)
    return np.interp(t, knots, curve).astype(np.float32)


def mix(signals: list[Signal]) -> Signal:
    """Adds signals of different lengths that start together; as long as the longest."""
    total = np.zeros(max(map(len, signals)), dtype=np.float32)
    for signal in signals:
        total[: len(signal)] += signal
    return total


def finish(signal: Signal, seconds: float, onset: float) -> Signal:
    """Places a sound in silence: DC-free, its peak at `PEAK`, and with no click where it ends.

    Args:
        signal: The sound `[samples]`, cut when it is too long.
        seconds: Length of the result.
        onset: Silence before the sound, in seconds.
    """
    total = np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)
    start = round(onset * SAMPLE_RATE)
    sound = signal[: len(total) - start].copy()
    end = min(len(sound), SAMPLE_RATE // 100)
    sound[-end:] *= np.linspace(1, 0, end, dtype=np.float32)
    # What an asymmetric burst leaves as DC goes with a window of the sound's own length: the ends
    # stay at zero.
    window = np.hanning(len(sound)).astype(np.float32)
    sound -= window * (
        sound.sum(dtype=np.float64) / max(window.sum(dtype=np.float64), 1e-9)
    ).astype(np.float32)
    total[start : start + len(sound)] = sound * np.float32(PEAK / max(np.abs(sound).max(), 1e-9))
    return total
