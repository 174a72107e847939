"""Recordings as models take them: at their rate, with their channels, of their length."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from audiogen_core import audio_file
from audiogen_core.arrays import FloatArray
from audiogen_core.audio_file import audio_blocks, check_recording, read_beginning
from audiogen_core.resampling import resample
from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import tones
from audiogen_plugins.encoders.aac import Aac256
from audiogen_plugins.encoders.flac import Flac
from audiogen_plugins.encoders.mp3 import Mp3V0
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


def damage(path: Path, which: slice) -> None:
    """Fills some of a file's packets with what no decoder takes."""
    with av.open(str(path)) as source:
        packets = [(packet.pos, packet.size) for packet in source.demux(audio=0) if packet.size]
    content = bytearray(path.read_bytes())
    for start, size in packets[which]:
        assert start is not None
        content[start : start + size] = b"\xff" * size
    path.write_bytes(content)


def heard(path: Path) -> FloatArray:
    """All of a recording at 44.1 kHz in stereo."""
    return np.concatenate(list(audio_blocks(path, 44100, 2)), axis=1)


def test_a_damaged_packet_costs_no_more_than_itself(tmp_path: Path) -> None:
    """What comes after it is heard, as in players."""
    path = tmp_path / "x.m4a"
    Aac256().encode(tones(2.0), 44100, path, Tags())
    whole = heard(path)
    damage(path, slice(20, 60, 20))
    found = heard(path)
    assert found.shape[1] == whole.shape[1] - 2 * 1024
    assert np.array_equal(found[:, -40_000:], whole[:, -40_000:])
    check_recording(str(path))
    assert read_beginning(path, 44100, 2, found.shape[1])[:, -1000:].any()


def test_a_recording_that_is_all_damage_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before all of a long one has been tried."""
    path = tmp_path / "x.m4a"
    Aac256().encode(tones(1.0), 44100, path, Tags())
    damage(path, slice(None))
    with pytest.raises(ValueError, match=r"cannot be read as audio"):
        check_recording(str(path))
    monkeypatch.setattr(audio_file, "MAX_DAMAGED", 10)
    with pytest.raises(ValueError, match=r"x\.m4a' is damaged in over 10 places"):
        check_recording(str(path))


@pytest.mark.parametrize("encoder", [Mp3V0, Flac])
@pytest.mark.parametrize(
    ("first", "second"),
    [((44100, 2), (44100, 2)), ((44100, 1), (44100, 2)), ((44100, 2), (48000, 2))],
)
def test_a_recording_of_two_that_were_joined(
    encoder: type[Mp3V0 | Flac], first: tuple[int, int], second: tuple[int, int], tmp_path: Path
) -> None:
    """Both are heard, also where the rate or the number of channels changes between them."""
    path = tmp_path / "x"
    content = b""
    for rate, channels in (first, second):
        encoder().encode(tones(1.0, rate, channels), rate, path, Tags())
        content += path.read_bytes()
    path.write_bytes(content)
    check_recording(str(path))
    wanted = np.concatenate([tones(1.0), tones(1.0)], axis=1)
    for found in (heard(path), read_beginning(path, 44100, 2, 2 * 44100)):
        # MP3 is padded, and the second has its delay.
        assert abs(found.shape[1] - wanted.shape[1]) < 3000
        for half in (slice(10_000, 30_000), slice(54_100, 74_100)):
            levels = np.sqrt(np.mean(np.square([found[:, half], wanted[:, half]]), axis=2))
            assert np.allclose(levels[0], levels[1], rtol=0.01)


@pytest.mark.parametrize("rate", [1, 1999, 768_001])
def test_a_rate_that_no_audio_has_is_refused(rate: int, tmp_path: Path) -> None:
    """Few samples of it would fill the memory at the rate of a model."""
    path = tmp_path / "x.wav"
    WavFloat().encode(tones(1.0, 8000), rate, path, Tags())
    with pytest.raises(ValueError, match=rf"x\.wav' claims {rate} Hz, which no audio has"):
        check_recording(str(path))
