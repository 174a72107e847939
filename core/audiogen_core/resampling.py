"""Resampling by windowed sinc: the same numbers on every machine, whatever is installed there."""

from __future__ import annotations

import math

import numpy as np

from audiogen_core.arrays import FloatArray

ZERO_CROSSINGS = 6
"""Of the sinc, to each side: the width of the filter."""

ROLLOFF = 0.99
"""Where the filter cuts off, as part of the lower of both Nyquist frequencies."""

PIECE = 2**15
"""Samples made at a time, so that no ratio of rates needs much memory."""


def resample(audio: FloatArray, rate: int, new_rate: int) -> FloatArray:
    """Audio at another sample rate.

    Band-limited interpolation (Smith and Gossett 1984, "A flexible sampling-rate conversion
    method") with a Hann window. Filter and defaults are those of torchaudio's ``Resample``, which
    the reference implementation uses.

    Args:
        audio: ``[channels, samples]``.
        rate: Its sample rate in hertz.
        new_rate: The one that is wanted.

    Returns:
        ``[channels, ceil(samples * new_rate / rate)]``.
    """
    if rate == new_rate:
        return audio
    divisor = math.gcd(rate, new_rate)
    old, new = rate // divisor, new_rate // divisor
    cutoff = min(old, new) * ROLLOFF / old
    reach = math.ceil(ZERO_CROSSINGS / cutoff)
    length = audio.shape[1]
    made = -(-length * new // old)
    padded = np.pad(audio, ((0, 0), (reach, reach + 1)))
    taps = np.arange(-reach, reach + 1)
    out: FloatArray = np.empty((len(audio), made), np.float32)
    for start in range(0, made, PIECE):
        numbers = np.arange(start, min(start + PIECE, made))
        # Where each new sample lies: behind this old one, by this part of a sample.
        before, rest = np.divmod(numbers * old, new)
        # Most ratios come back to the same few parts.
        parts, part = np.unique(rest, return_inverse=True)
        offsets = (taps - (parts / new)[:, None]) * cutoff
        inside = (offsets / ZERO_CROSSINGS).clip(-1, 1)
        window = np.cos(inside * math.pi / 2) ** 2
        weights = (np.sinc(offsets) * window * cutoff).astype(np.float32)
        seen = padded[:, before[:, None] + (taps + reach)]
        out[:, numbers] = np.einsum("cnt,nt->cn", seen, weights[part])
    return out
