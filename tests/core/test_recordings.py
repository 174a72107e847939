"""Recordings as models take them: at their rate, with their channels, of their length."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from audiogen_core.audio_file import audio_blocks, read_beginning
from audiogen_core.resampling import resample
from audiogen_core.tags import Tags
from audiogen_plugins.encoders.wav import WavFloat
from audiogen_plugins.observers.report.sound import read_sound


@pytest.mark.parametrize("rate", [8000, 22050, 44101, 48000, 96000, 767_999])
def test_a_tone_is_the_same_tone_at_another_rate(rate: int) -> None:
    """Also at rates that have nothing in common, without the memory of a filter for each phase."""
    time = np.arange(rate // 4) / rate
    tone = np.sin(2 * np.pi * np.array([[440.0], [1000.0]]) * time).astype(np.float32)
    found = resample(tone, rate, 44100)
    assert found.shape == (2, -(-tone.shape[1] * 44100 // rate))
    assert found.dtype == np.float32
    wanted = np.sin(2 * np.pi * np.array([[440.0], [1000.0]]) * np.arange(found.shape[1]) / 44100)
    inside = slice(500, -500)  # a filter sees silence beyond the ends
    assert np.abs(found - wanted)[:, inside].max() < 2e-3


def test_what_a_lower_rate_cannot_hold_is_taken_out() -> None:
    """A tone beyond the new Nyquist frequency becomes no other tone."""
    tone = np.sin(2 * np.pi * 15000 * np.arange(24000) / 48000)[None].astype(np.float32)
    assert np.abs(resample(tone, 48000, 16000)[:, 100:-100]).max() < 1e-2


@pytest.mark.parametrize(
    ("channels", "wanted", "found"),
    [
        (1, 1, [1.0]), (2, 1, [1.5]), (6, 1, [3.5]),
        (1, 2, [1.0, 1.0]), (2, 2, [1.0, 2.0]), (6, 2, [1.0, 2.0]),
    ],
)  # fmt: skip
def test_channels_and_length_fit(
    channels: int, wanted: int, found: list[float], tmp_path: Path
) -> None:
    """One channel is the mean, one alone becomes all, the first are taken; silence fills up."""
    path = tmp_path / "x.wav"
    levels = np.arange(1, channels + 1, dtype=np.float32) / 8
    WavFloat().encode(np.repeat(levels[:, None], 300, axis=1), 8000, path, Tags())
    audio = read_beginning(path, 8000, wanted, 400)
    assert audio.shape == (wanted, 400)
    assert np.allclose(audio[:, :300], np.array(found)[:, None] / 8, atol=1e-6)
    assert not audio[:, 300:].any()
    assert np.array_equal(read_beginning(path, 8000, wanted, 200), audio[:, :200])


@pytest.mark.parametrize("channels", [9, 12])
def test_more_channels_than_a_frame_has_planes(channels: int, tmp_path: Path) -> None:
    """Multitrack recordings: the first are taken, and a mean is that of all."""
    path = tmp_path / "x.wav"
    samples = np.tile(np.arange(1, channels + 1, dtype="<i2") << 10, (300, 1))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    assert np.allclose(read_beginning(path, 8000, 2, 300), [[1 / 32], [2 / 32]])
    assert np.allclose(read_beginning(path, 8000, 1, 300), (channels + 1) / 64)
    assert read_sound(path).audio.shape == (channels, 300)


@pytest.mark.parametrize("rate", [8000, 12000])
@pytest.mark.parametrize(
    ("channels", "wanted", "found"),
    [(1, 1, [1.0]), (2, 1, [1.5]), (6, 1, [3.5]), (1, 2, [1.0, 1.0]), (6, 2, [1.0, 2.0])],
)
def test_blocks_are_as_loud_as_the_file(
    channels: int, wanted: int, found: list[float], rate: int, tmp_path: Path
) -> None:
    """Channels are mixed by their mean, whatever FFmpeg would make of a layout."""
    path = tmp_path / "x.wav"
    levels = np.arange(1, channels + 1, dtype=np.float32) / 8
    WavFloat().encode(np.repeat(levels[:, None], 4000, axis=1), 8000, path, Tags())
    audio = np.concatenate(list(audio_blocks(path, rate, wanted)), axis=1)
    assert abs(audio.shape[1] - rate // 2) < 20
    assert np.allclose(audio[:, 500:-500], np.array(found)[:, None] / 8, atol=1e-3)
