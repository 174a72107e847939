"""Acoustic facts, read from a sound alone.

Every function takes a signal, float32 `[samples]`, mono, at `SAMPLE_RATE`, of any level. They
look at what is loud, so that a noise floor around -45 dB changes little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audiogen_training.sounds import SAMPLE_RATE
from audiogen_training.sounds.dsp import Floats, Signal

LOWEST_HZ, HIGHEST_HZ = 52.0, 1570.0
"""The fundamentals that are looked for: half a semitone more than MIDI 33 to 90."""

SLOWEST_BPM, FASTEST_BPM = 70.0, 175.0
"""The tempi that are looked for."""


def spectrogram(audio: Signal, size: int, hop: int, padded: int | None = None) -> Floats:
    """The power `[frames, padded // 2 + 1]` of frames whose centres are `hop` samples apart.

    Args:
        audio: The signal; silence surrounds it, so that a frame is centred on its first sample.
        size: Length of the Hann window in samples.
        hop: Samples from frame to frame.
        padded: Length of the transform; the window's when it is None.
    """
    around = np.pad(audio, size // 2 + 1)
    frames = np.lib.stride_tricks.sliding_window_view(around, size)[::hop]
    return np.abs(np.fft.rfft(frames * np.hanning(size), padded or size)) ** 2


def pitch(audio: Signal) -> float:
    """The fundamental in hertz: of a chord, its root.

    Each peak of the long-term spectrum is scored by its own amplitude and, ever less, those of its
    harmonics. The true fundamental wins even where its second harmonic is up to 6 dB stronger,
    and a subharmonic wins only if it sounds itself.
    """
    size, padded = 16_384, 65_536
    power = spectrogram(audio, size, size // 4, padded).sum(0)
    amplitude = np.sqrt(power)
    width = SAMPLE_RATE / padded
    first, last = int(LOWEST_HZ / width), int(HIGHEST_HZ / width)
    inner = amplitude[first:last]
    peaks = first + np.flatnonzero(
        (inner > amplitude[first - 1 : last - 1]) & (inner >= amplitude[first + 1 : last + 1])
    )
    if not len(peaks):
        return LOWEST_HZ
    score = sum(0.5**number * _around(amplitude, peaks * (number + 1)) for number in range(5))
    best = int(peaks[np.argmax(score)])
    return width * (best + _vertex(np.log(amplitude[best - 1 : best + 2] + 1e-12)))


def _around(amplitude: Floats, bins: NDArray[np.int_]) -> Floats:
    """The largest amplitude within a quarter of a semitone of each bin."""
    return np.array([amplitude[round(one * 0.986) : round(one * 1.0145) + 1].max() for one in bins])


def _vertex(three: Floats) -> float:
    """Where the parabola through three neighbours is highest, from -1 to 1 about the middle."""
    left, middle, right = three
    bend = left - 2 * middle + right
    return float(np.clip((left - right) / (2 * bend), -1, 1)) if bend < 0 else 0.0


def centroid(audio: Signal) -> float:
    """The spectral centroid in hertz: the mean frequency, weighted with power."""
    power = spectrogram(audio, 2048, 1024).sum(0)
    hz = np.fft.rfftfreq(2048, 1 / SAMPLE_RATE)
    return float((power * hz).sum() / max(power.sum(), 1e-12))


def slope(audio: Signal) -> float:
    """The speed in octaves a second of the strongest partial, as a straight line fits it best."""
    size, hop = 2048, 512
    power = spectrogram(audio, size, hop, 2 * size)[:, 4:]
    hz = np.fft.rfftfreq(2 * size, 1 / SAMPLE_RATE)[4:]
    octave = np.log2(hz[power.argmax(1)])
    weight = power.max(1)
    weight = np.sqrt(np.where(weight > 1e-3 * weight.max(), weight, 0))
    if not weight.any():
        return 0.0
    seconds = np.arange(len(weight)) * hop / SAMPLE_RATE
    seconds -= np.average(seconds, weights=weight)
    return float((weight * seconds * octave).sum() / max((weight * seconds**2).sum(), 1e-9))


def t40(audio: Signal) -> float:
    """The time in seconds after which the envelope stays 40 dB below its peak.

    The quietest tenth of a sound is taken for its floor of noise, if it lies below -20 dB. Where
    5 dB above the floor is more than -40 dB, the time is that at which the sound sinks so low.
    """
    block = SAMPLE_RATE // 200
    count = -(-len(audio) // block)
    padded = np.pad(audio.astype(np.float64), (0, count * block - len(audio)))
    power = np.mean(padded.reshape(count, block) ** 2, axis=1)
    # A period of the lowest notes lasts three blocks.
    power = np.convolve(power, np.full(5, 0.2), "same")
    peak = power.max()
    if peak == 0:
        return 0.0
    floor = np.sort(power)[: max(1, count // 10)].mean()
    threshold = max(1e-4 * peak, 10**0.5 * floor if floor < 1e-2 * peak else 0.0)
    return float(np.flatnonzero(power > threshold)[-1] + 1) * block / SAMPLE_RATE


def tempo(audio: Signal) -> float:
    """The tempo of a drum loop in beats per minute, from the onsets of its lowest octaves.

    Regular onsets correlate with themselves after one period and after two, three, ...; their
    spectrum has lines at one time the tempo and at two, three, ... Only the tempo has both, so the
    product of the two is free of errors by an octave.
    """
    onsets, rate = _low_onsets(audio)
    bpm = np.arange(SLOWEST_BPM, FASTEST_BPM, 0.1)
    seconds = np.arange(len(onsets)) / rate
    line = np.abs(np.exp(-2j * np.pi * bpm[:, None] / 60 * seconds) @ (onsets - onsets.mean()))
    correlation = np.correlate(onsets, onsets, "full")[len(onsets) - 1 :]
    # Half a period's overlap is what a loop that just fits two beats has.
    correlation /= np.maximum(np.arange(len(onsets), 0, -1), 0.4 * rate)
    lags = 60 * rate / bpm
    again = np.interp(lags, np.arange(len(correlation)), correlation)
    return float(bpm[np.argmax(line * np.maximum(again, 0))])


def _low_onsets(audio: Signal) -> tuple[Floats, float]:
    """How suddenly the sound below 120 Hz grows, smoothed, and the rate in hertz of its points."""
    hop = 128
    size = 1024
    bins = slice(1, 1 + int(120 * size / SAMPLE_RATE))
    low = np.sqrt(spectrogram(audio, size, hop)[:, bins].sum(1))
    rise = np.maximum(np.diff(low, prepend=0.0), 0)
    smooth = np.hanning(17)
    return np.convolve(rise, smooth / smooth.sum(), "same"), SAMPLE_RATE / hop
