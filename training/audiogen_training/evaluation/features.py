"""What the classifier sees of a sound: a mel spectrogram, and its tones over all time."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from audiogen_training.sounds import SAMPLE_RATE
from audiogen_training.sounds.dsp import Signal

SECONDS = 4.0
"""Sounds are cut to this length, or silence follows them."""

MELS = 64
WINDOW, HOP = 1024, 512
FRAMES = int(SECONDS * SAMPLE_RATE) // HOP + 1

TONES = 216
"""Frequencies, 36 an octave from `LOWEST_TONE` hertz: enough to tell a major from a minor third."""
LOWEST_TONE = 55.0
LONG_WINDOW = 16_384


def features(audio: Signal) -> tuple[Tensor, Tensor]:
    """A sound's powers, once its peak is at full scale.

    Args:
        audio: float32 `[samples]`, at `SAMPLE_RATE`, of any level.

    Returns:
        The mel spectrogram ``[MELS, FRAMES]``, and the long-term spectrum at the frequencies of
        the tones ``[TONES]``.
    """
    signal = torch.zeros(int(SECONDS * SAMPLE_RATE))
    sound = torch.from_numpy(audio[: len(signal)])
    signal[: len(sound)] = sound / sound.abs().max().clamp(min=1e-6)
    mel = _mel_filters() @ _power(signal, WINDOW, HOP)
    tones = _tone_filters() @ _power(signal, LONG_WINDOW, LONG_WINDOW // 4).sum(1)
    return mel, tones


def _power(signal: Tensor, size: int, hop: int) -> Tensor:
    """``[size // 2 + 1, frames]``; a sine at full scale has the power 1."""
    window = torch.hann_window(size) * (4 / size)
    spectrum = torch.stft(
        signal, size, hop, window=window, pad_mode="constant", return_complex=True
    )
    return torch.view_as_real(spectrum).square().sum(-1)


def white_noise() -> Tensor:
    """The mean power ``[MELS]`` of white noise, whose samples have a variance of one."""
    return _mel_filters().sum(1) * (6 / WINDOW)


@cache
def _mel_filters() -> Tensor:
    """Triangles ``[MELS, WINDOW // 2 + 1]`` from 30 Hz to 20 kHz, as wide as their distance."""
    low, high = 2595 * np.log10(1 + np.array([30, 20_000]) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    return _triangles(edges, WINDOW)


@cache
def _tone_filters() -> Tensor:
    """Triangles ``[TONES, LONG_WINDOW // 2 + 1]``."""
    return _triangles(LOWEST_TONE * 2 ** (np.arange(-1, TONES + 1) / 36), LONG_WINDOW)


def _triangles(edges: np.ndarray[tuple[int], np.dtype[np.float64]], size: int) -> Tensor:
    """Filters whose peaks are at the inner edges, in hertz, and their feet at the neighbours.

    A filter narrower than the distance of two bins is widened to it.
    """
    width = SAMPLE_RATE / size
    hz = np.arange(size // 2 + 1) * width
    middle = edges[1:-1, None]
    left = np.minimum(edges[:-2, None], middle - width)
    right = np.maximum(edges[2:, None], middle + width)
    shape = np.minimum((hz - left) / (middle - left), (right - hz) / (right - middle))
    return torch.from_numpy(np.maximum(shape, 0).astype(np.float32))
