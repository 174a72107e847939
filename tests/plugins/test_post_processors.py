"""What the built-in post-processors make of audio."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.testing.post_processors import check_post_processor
from audiogen_plugins.post_processors.fade import Fade
from audiogen_plugins.post_processors.loudness import measure

RATE = 44100


def build(name: str, **options: Any) -> PostProcessor:
    """A built-in with options."""
    plugin = installed_plugins().post_processors.load(name)
    return plugin(plugin.Options.model_validate(options))


def sine(amplitude: float, seconds: float = 2, hertz: float = 997) -> FloatArray:
    """A stereo sine that begins and ends softly."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = amplitude * np.sin(2 * np.pi * hertz * time)
    ramp = np.minimum(1, np.minimum(np.arange(wave.size), np.arange(wave.size)[::-1]) / 441)
    return np.stack([wave * ramp] * 2).astype(np.float32)


def run(name: str, audio: FloatArray, seconds: Any = 1, **options: Any) -> tuple[Any, list[str]]:
    """What a post-processor makes of audio, and what it notes."""
    notes: list[str] = []
    context = AudioContext(RATE, {"seconds_total": seconds}, notes.append)
    return build(name, **options).process(audio, context), notes


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("trim", {}), ("peak", {}), ("peak", {"level": -3}), ("none", {}), ("fade", {}),
        ("fade", {"fade_in": 0.2, "fade_out": 5, "curve": "linear"}),
        ("fade", {"fade_in": 5, "curve": "exponential"}),
        ("loudness", {}), ("loudness", {"lufs": -30, "true_peak": 0}),
    ],
)  # fmt: skip
def test_built_ins_keep_the_contract(name: str, options: dict[str, Any]) -> None:
    """Every built-in passes the checks that third parties are given."""
    check_post_processor(build(name, **options))


def test_the_contract_sees_what_is_wrong() -> None:
    """The checks fail for audio that grows a channel, changes its type, or differs each time."""

    class Broken(PostProcessor):
        NAME = "broken"
        how = ""

        def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
            del context
            if self.how == "channels":
                return np.concatenate([audio, audio])
            if self.how == "type":
                return audio.astype(np.float64)  # type: ignore[return-value]
            if self.how == "nothing":
                return audio[:, :0]
            return audio * np.float32(np.random.default_rng().uniform())

    for how, message in (
        ("channels", "became 4 channels"),
        ("type", "became float64"),
        ("nothing", "lost its last sample"),
        ("random", "the second time"),
    ):
        plugin = Broken()
        plugin.how = how
        with pytest.raises(AssertionError, match=message):
            check_post_processor(plugin)


@pytest.mark.parametrize(("seconds", "samples"), [(1, RATE), (0.5, RATE // 2), (9, 2 * RATE)])
def test_trim_keeps_the_beginning(seconds: float, samples: int) -> None:
    """Up to ``seconds_total``, and all of audio that is shorter."""
    audio = sine(0.5)
    assert np.array_equal(run("trim", audio, seconds)[0], audio[:, :samples])


def test_trim_without_a_length_keeps_all() -> None:
    """A model without ``seconds_total`` has nothing to cut to."""
    audio = sine(0.5)
    assert run("trim", audio, None)[0].shape == audio.shape


@pytest.mark.parametrize(("level", "peak"), [(0, 1.0), (-6.0205999, 0.5), (-20, 0.1)])
def test_peak_brings_the_highest_sample_to_a_level(level: float, peak: float) -> None:
    """In dBFS, from below and from beyond full scale."""
    for amplitude in (0.01, 3.0):
        made, _ = run("peak", sine(amplitude), level=level)
        assert np.abs(made).max() == pytest.approx(peak, rel=1e-5)


@pytest.mark.parametrize("lufs", [-14, -23, -40])
@pytest.mark.parametrize("amplitude", [0.001, 0.3, 4.0])
def test_loudness_is_reached(lufs: float, amplitude: float) -> None:
    """Whatever the level was before, to a twentieth of a decibel and without a note."""
    made, notes = run("loudness", sine(amplitude), lufs=lufs)
    assert measure(made, RATE).loudness == pytest.approx(lufs, abs=0.05)
    assert not notes


@pytest.mark.parametrize("channels", range(1, 9))
def test_loudness_is_reached_with_any_number_of_channels(channels: int) -> None:
    """Up to the eight that loudness has weights for."""
    made, notes = run("loudness", sine(0.1)[:1].repeat(channels, axis=0), lufs=-30)
    assert measure(made, RATE).loudness == pytest.approx(-30, abs=0.05)
    assert not notes


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are not listed here")
def test_filters_do_not_stay() -> None:
    """Nor their threads, of which FFmpeg starts one for every processor."""

    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    measure(sine(0.5), RATE)
    before = threads()
    gc.disable()  # so that none goes by chance
    try:
        for _ in range(10):
            measure(sine(0.5), RATE)
        assert threads() <= before
    finally:
        gc.enable()


def test_loudness_stops_at_the_true_peak() -> None:
    """A peak between samples counts; the note says how loud it has become."""
    audio = sine(0.5, hertz=RATE / 4 + 1)
    made, (note,) = run("loudness", audio, lufs=0, true_peak=-6)
    found = measure(made, RATE)
    assert found.true_peak == pytest.approx(-6, abs=0.02)
    assert found.loudness is not None
    assert note == f"its true peak allows {found.loudness:.1f} LUFS, not 0"


def test_a_peak_in_the_last_moment_counts() -> None:
    """Also where it stands behind the last whole tenth of a second."""
    audio = np.concatenate([sine(0.01), np.zeros((2, 2000), np.float32)], axis=1)
    audio[:, -1] = 0.9
    made, _ = run("loudness", audio, lufs=0, true_peak=-6)
    assert np.abs(made).max() <= 10 ** (-6 / 20) * 1.001


def test_audio_without_a_loudness_is_brought_to_its_true_peak() -> None:
    """A hit shorter than the 400 ms that loudness is measured over."""
    made, notes = run("loudness", sine(0.01, seconds=0.2), true_peak=-2)
    assert measure(made, RATE).true_peak == pytest.approx(-2, abs=0.02)
    assert notes == ["no loudness can be measured: only its true peak was set"]


def test_silence_stays_silence() -> None:
    """No gain makes something of nothing."""
    silence = np.zeros((2, RATE), np.float32)
    for name in ("peak", "loudness", "fade"):
        made, notes = run(name, silence)
        assert not made.any()
        assert not notes


@pytest.mark.parametrize(
    ("curve", "middle"), [("linear", 0.5), ("cosine", 0.5), ("exponential", 0.0307)]
)
def test_fade_curves(curve: str, middle: float) -> None:
    """From silence to full level and back, with the curve's gain half-way; the rest is kept."""
    ones = np.ones((2, 2 * RATE), np.float32)
    made, _ = run("fade", ones, fade_in=0.5, fade_out=0.25, curve=curve)
    rise, fall = RATE // 2, RATE // 4
    assert made[0, 0] == made[0, -1] == 0
    assert made[0, rise // 2] == pytest.approx(middle, abs=0.001)
    assert made[0, -fall // 2] == pytest.approx(middle, abs=0.001)
    assert (made[:, rise:-fall] == 1).all()
    assert (np.diff(made[0, :rise]) >= 0).all()


def test_a_fade_of_any_length_is_as_long_as_the_audio() -> None:
    """However long it is asked for."""
    context = AudioContext(44100, {}, lambda _: None)
    audio = np.ones((2, 1000), np.float32)
    long, whole = (
        Fade(Fade.Options(fade_in=seconds)).process(audio, context)
        for seconds in (1e305, 1000 / 44100)
    )
    assert np.array_equal(long, whole)
