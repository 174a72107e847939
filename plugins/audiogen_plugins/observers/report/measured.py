"""What a report shows of a sound: its length and levels, its waveform and its spectrogram."""

from __future__ import annotations

import base64
import io
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from audiogen_core.arrays import FloatArray
from audiogen_plugins._ffmpeg import LAYOUTS
from audiogen_plugins.post_processors.loudness import integrated

WAVE_COLUMNS = 200
"""Each holds the lowest and the highest sample of its part."""

COLUMNS, ROWS = 320, 72
"""Pixels of a spectrogram: small, for a page holds thousands."""

WINDOW = 2048
"""Samples that a spectrum is made of."""

MAX_SPECTRA = 8
"""Of a column: of audio beyond two minutes, samples between them are left out."""

LOWEST = 40.0
"""The frequency at the bottom of a spectrogram, in hertz; the top is half the sample rate."""

DARKEST, BRIGHTEST = -95.0, -15.0
"""The levels at the ends of the colours, in dB below a full-scale sine."""

COLOURS = ("#0d0b1e", "#2b1d66", "#7a2a8c", "#d2486f", "#f79a4d", "#fff1b8")
"""From silence to the loudest, at equal distances."""

QUALITY = 55
"""Of the WebP, of 100: artefacts of it are below what a spectrogram of this size shows."""

IMAGE = "data:image/webp;base64,"


@dataclass(frozen=True)
class Measured:
    """What a report shows of a sound.

    Attributes:
        seconds: Its length.
        channels: Their number.
        sample_rate: In hertz.
        loudness: Integrated, in LUFS; None where it is too short or too quiet to have one.
        rms: The root of the mean square of all samples, in dBFS; None for silence.
        peak: The highest sample, in dBFS; None for silence.
        wave: The lowest and highest sample of each of `WAVE_COLUMNS` parts, as signed bytes in
            base64, in turns.
        spectrogram: The picture as a data URI: time to the right, frequency upwards, logarithmic.
    """

    seconds: float
    channels: int
    sample_rate: int
    loudness: float | None
    rms: float | None
    peak: float | None
    wave: str
    spectrogram: str


State: TypeAlias = tuple[str, int, int]
"""A file's name, its bytes, and when it was changed, in nanoseconds."""

Known: TypeAlias = dict[State, Measured]
"""What has been measured, by the state that the files were in."""


def state_of(path: Path) -> State:
    """What tells whether a file is still the same.

    Raises:
        OSError: It is not there.
    """
    found = path.stat()
    # As the page has it: a name that is no text (POSIX allows any bytes) is shown as far as it is.
    return shown(path.name), found.st_size, found.st_mtime_ns


def shown(name: str) -> str:
    """A file name as Unicode text."""
    return os.fsencode(name).decode("utf-8", "replace")


def measure(audio: FloatArray, sample_rate: int) -> Measured:
    """Measures a sound, ``[channels, samples]``, of at least one sample."""
    channels, samples = audio.shape
    # Without copies of it: it may be hours long.
    peak = float(max(audio.max(), -audio.min()))
    rms = math.sqrt(sum(float(np.dot(one, one)) for one in audio) / audio.size)
    has_loudness = peak > 0 and channels <= len(LAYOUTS)
    return Measured(
        seconds=round(samples / sample_rate, 4),
        channels=channels,
        sample_rate=sample_rate,
        loudness=_rounded(integrated(audio, sample_rate) if has_loudness else None),
        rms=_rounded(_decibels(rms)),
        peak=_rounded(_decibels(peak)),
        wave=_wave(audio),
        spectrogram=_picture(_levels(audio, sample_rate)),
    )


def believed(content: Mapping[str, Any]) -> Measured | None:
    """What an earlier page says of a sound; None where it says nothing that can be shown."""
    match content:
        case {
            "seconds": int() | float() as seconds,
            "channels": int(channels),
            "sample_rate": int(rate),
            "loudness": int() | float() | None as loudness,
            "rms": int() | float() | None as rms,
            "peak": int() | float() | None as peak,
            "wave": str(wave),
            "spectrogram": str(spectrogram),
        } if spectrogram.startswith(IMAGE) and _finite(seconds, loudness, rms, peak):
            return Measured(seconds, channels, rate, loudness, rms, peak, wave, spectrogram)
    return None


def _finite(*values: float | None) -> bool:
    # Whole numbers may be larger than any float.
    return all(one is None or abs(one) <= sys.float_info.max for one in values)


def _decibels(amplitude: float) -> float | None:
    return 20 * math.log10(amplitude) if amplitude > 0 else None


def _rounded(level: float | None) -> float | None:
    # Adding zero makes -0.0 the zero that people read.
    return None if level is None else round(level, 1) + 0.0


def _wave(audio: FloatArray) -> str:
    starts = np.arange(WAVE_COLUMNS) * audio.shape[1] // WAVE_COLUMNS
    lowest = np.minimum.reduceat(audio.min(axis=0), starts)
    highest = np.maximum.reduceat(audio.max(axis=0), starts)
    both = np.stack([lowest, highest], axis=1).clip(-1, 1)
    return base64.b64encode(np.rint(both * 127).astype(np.int8).tobytes()).decode()


def _levels(audio: FloatArray, sample_rate: int) -> npt.NDArray[np.float32]:
    """The levels of a spectrogram in dB, ``[ROWS, COLUMNS]``, the highest frequency first."""
    samples = audio.shape[1]
    spectra = min(max(math.ceil(samples / (COLUMNS * WINDOW)), 2), MAX_SPECTRA)
    centres = np.linspace(0, samples - 1, COLUMNS * spectra).astype(np.int64)
    window = np.hanning(WINDOW).astype(np.float32)
    bands = _bands(sample_rate)
    power = np.zeros((COLUMNS, ROWS), np.float32)
    for channel in audio:
        padded = np.pad(channel, WINDOW // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[centres] * window
        spectrum = np.abs(np.fft.rfft(frames)) * (2 / window.sum())
        mean = np.square(spectrum).reshape(COLUMNS, spectra, -1).mean(axis=1)
        power += (mean @ bands).astype(np.float32) / len(audio)
    levels: npt.NDArray[np.float32] = 10 * np.log10(power.T[::-1] + 1e-20)
    return levels


def _bands(sample_rate: int) -> npt.NDArray[np.float32]:
    """How much each bin of a spectrum counts in each row, ``[WINDOW // 2 + 1, ROWS]``.

    Triangles between neighbours at equal distances in pitch, and never narrower than a bin.
    """
    nyquist = sample_rate / 2
    centres = np.geomspace(min(LOWEST, nyquist / 2), nyquist, ROWS)
    ratio = centres[1] / centres[0]
    bin_width = sample_rate / WINDOW
    width = np.maximum(centres * (ratio - 1), bin_width)
    frequencies = np.arange(WINDOW // 2 + 1)[:, None] * bin_width
    weights = np.maximum(0, 1 - np.abs(frequencies - centres) / width)
    normalised: npt.NDArray[np.float32] = (weights / weights.sum(axis=0)).astype(np.float32)
    return normalised


def _picture(levels: npt.NDArray[np.float32]) -> str:
    from PIL import Image, ImageColor

    places = np.linspace(0, 255, len(COLOURS))
    stops = np.array([ImageColor.getrgb(one)[:3] for one in COLOURS], np.float64)
    table = np.stack([np.interp(np.arange(256), places, stops[:, one]) for one in range(3)], axis=1)
    scaled = (levels - DARKEST) / (BRIGHTEST - DARKEST) * 255
    pixels = np.rint(table).astype(np.uint8)[scaled.clip(0, 255).astype(np.uint8)]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY, method=4)
    return IMAGE + base64.b64encode(file.getvalue()).decode()
