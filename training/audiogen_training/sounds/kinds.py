"""The kinds of sounds, what may be said about each, and what it means in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from audiogen_training.sounds import drums, effects, tones
from audiogen_training.sounds.dsp import Signal, either, finish

Ranges = Mapping[str | None, tuple[float, float]]
"""From the word of an attribute, or None when nothing is said, to two numbers."""


@dataclass(frozen=True, kw_only=True)
class SoundSpec:
    """What a caption says about a sound. What is None is not said, and then is not extreme either.

    Attributes:
        kind: A key of `KINDS`.
        midi: The note, or a chord's root, in equal temperament: A4 is 69 and 440 Hz.
        register: "low" or "high".
        length: "short" or "long".
        brightness: "dark" or "bright".
        attack: "soft" or "loud".
        speed: "slow" or "fast".
        bpm: Tempo of a loop in beats per minute.
        instrument: What plays a chord: a key of `tones.INSTRUMENTS`.
    """

    kind: str
    midi: int | None = None
    register: str | None = None
    length: str | None = None
    brightness: str | None = None
    attack: str | None = None
    speed: str | None = None
    bpm: int | None = None
    instrument: str | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of a rendered sound. A number that means nothing for its kind is None.

    Attributes:
        kind: A key of `KINDS`.
        duration: T40: after this many seconds the envelope stays 40 dB below its peak. Sounds that
            fill the time they are given have almost all of it.
        hz: The fundamental of a tone, the root of a chord, the middle of a sweep or siren, where a
            drop or laser begins, the centre of a noise's band, the lowest mode of a tom.
        midi: The note, of kinds that can be asked for one.
        brightness: From 0 (dark) to 1 (bright); 0.4 to 0.6 when nothing is said.
        attack: How long the sound takes to rise, in seconds.
        rate: Wails or beeps a second.
        bpm: Beats per minute.
        slope: Change of a sweep's pitch, in octaves a second: negative when it falls.
        instrument: What plays the chord.
    """

    kind: str
    duration: float
    hz: float | None = None
    midi: int | None = None
    brightness: float | None = None
    attack: float | None = None
    rate: float | None = None
    bpm: float | None = None
    slope: float | None = None
    instrument: str | None = None


@dataclass(frozen=True)
class Rendered:
    """A sound.

    Attributes:
        audio: float32 `[samples]`, mono, at `SAMPLE_RATE`, peak `PEAK`.
        facts: What is true of it.
    """

    audio: Signal
    facts: Facts


@dataclass(frozen=True)
class Control:
    """One number of a sound.

    Attributes:
        attribute: The attribute of a spec whose word chooses the range; None for no attribute.
        ranges: The number is one of the two ends, or if it has an `exact`, any that is whole.
        exact: The attribute of a spec that sets the number itself.
        limits: The lowest and highest number that `exact` may set.
        grid: What such a number is rounded to a multiple of.
    """

    attribute: str | None
    ranges: Ranges
    exact: str | None = None
    limits: tuple[int, int] = (0, 0)
    grid: int = 1


@dataclass(frozen=True)
class Kind:
    """A kind of sound.

    Attributes:
        play: Makes the sound from a generator and the controls' numbers, by name.
        controls: The numbers by the name of `play`'s argument. A "midi" becomes "hz".
        fills: Whether the sound lasts as long as it may: then it has no control of its duration.
        least: Seconds that a render must have at least.
        instruments: Whether instruments play it.
    """

    play: Callable[..., Signal]
    controls: Mapping[str, Control] = field(default_factory=dict)
    fills: bool = False
    least: float = 0.5
    instruments: tuple[str, ...] = ()

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """The attributes that the kind has, with their words."""
        words = {
            control.attribute: tuple(word for word in control.ranges if word is not None)
            for control in self.controls.values()
            if control.attribute is not None
        }
        return words | ({"instrument": self.instruments} if self.instruments else {})

    @property
    def exact(self) -> dict[str, tuple[int, int]]:
        """The attributes that take a number, `midi` or `bpm`, with the lowest and the highest."""
        return {
            control.exact: control.limits
            for control in self.controls.values()
            if control.exact is not None
        }


SPARE = 0.8
"""The largest part of a render that a sound's T40 takes up, so that it can die away."""

LENGTH = Control("length", {"short": (0.1, 0.25), None: (0.4, 0.8), "long": (1.2, 2.4)})
"""Seconds of T40."""

BRIGHTNESS = Control("brightness", {"dark": (0.0, 0.1), None: (0.4, 0.6), "bright": (0.9, 1.0)})

ATTACK = Control("attack", {"loud": (0.001, 0.003), None: (0.012, 0.02), "soft": (0.1, 0.18)})
"""Seconds. A short sound spends at most half of itself rising."""


def _notes(low: int, high: int, *, deep: int, middle: tuple[int, int], shrill: int) -> Control:
    ranges: Ranges = {"low": (low, deep), None: middle, "high": (shrill, high)}
    return Control("register", ranges, exact="midi", limits=(low, high))


def _register(
    low: tuple[float, float], middle: tuple[float, float], high: tuple[float, float]
) -> Control:
    return Control("register", {"low": low, None: middle, "high": high})


def _speed(
    slow: tuple[float, float], middle: tuple[float, float], fast: tuple[float, float]
) -> Control:
    return Control("speed", {"slow": slow, None: middle, "fast": fast})


NOTES = _notes(36, 84, deep=45, middle=(53, 67), shrill=75)
HELD = {"midi": NOTES, "duration": LENGTH, "attack": ATTACK}
STRUCK = {"midi": NOTES, "duration": LENGTH, "brightness": BRIGHTNESS}
DRUM = {"duration": LENGTH, "brightness": BRIGHTNESS}
CHORD = {
    "midi": _notes(45, 72, deep=50, middle=(55, 64), shrill=68),
    "duration": LENGTH,
    "brightness": BRIGHTNESS,
}
SWEEP = {
    "hz": _register((150, 260), (550, 850), (1900, 2800)),
    "duration": _speed((1.4, 2.6), (0.6, 0.95), (0.2, 0.35)),
}
UP, DOWN = Control(None, {None: (2.6, 2.6)}), Control(None, {None: (-2.6, -2.6)})
TEMPO = Control(
    "speed",
    {"slow": (80, 95), None: (108, 128), "fast": (142, 160)},
    exact="bpm",
    limits=(80, 160),
    grid=2,
)

KINDS: Mapping[str, Kind] = {
    "kick": Kind(drums.kick, DRUM),
    "snare": Kind(drums.snare, DRUM),
    "clap": Kind(drums.clap, DRUM),
    "closed_hat": Kind(
        drums.hat, {"duration": Control(None, {None: (0.06, 0.11)}), "brightness": BRIGHTNESS}
    ),
    "open_hat": Kind(
        drums.hat,
        {"duration": Control(None, {None: (0.45, 0.9)}), "brightness": BRIGHTNESS},
        least=0.7,
    ),
    "tom": Kind(drums.tom, {"hz": _register((75, 95), (120, 155), (200, 260)), "duration": LENGTH}),
    "sine": Kind(tones.sine, HELD),
    "saw": Kind(tones.saw, HELD | {"brightness": BRIGHTNESS}),
    "square": Kind(tones.square, HELD | {"brightness": BRIGHTNESS}),
    "bell": Kind(tones.bell, STRUCK),
    "pluck": Kind(tones.pluck, STRUCK),
    "organ": Kind(tones.organ, HELD | {"brightness": BRIGHTNESS}),
    "bass": Kind(
        tones.bass, STRUCK | {"midi": _notes(36, 59, deep=40, middle=(43, 50), shrill=54)}
    ),
    "pad": Kind(tones.pad, {"midi": NOTES, "brightness": BRIGHTNESS}, fills=True, least=1.2),
    "major_chord": Kind(tones.major, CHORD, instruments=tuple(tones.INSTRUMENTS)),
    "minor_chord": Kind(tones.minor, CHORD, instruments=tuple(tones.INSTRUMENTS)),
    "rising_sweep": Kind(effects.sweep, SWEEP | {"octaves": UP}),
    "falling_sweep": Kind(effects.sweep, SWEEP | {"octaves": DOWN}),
    "siren": Kind(
        effects.siren,
        {
            "hz": _register((280, 380), (620, 850), (1400, 1900)),
            "rate": _speed((0.45, 0.65), (1.2, 1.8), (3.5, 5)),
        },
        fills=True,
        least=2,
    ),
    "noise_burst": Kind(
        effects.noise_burst,
        {
            "hz": _register((250, 400), (1300, 1900), (6000, 8500)),
            "duration": LENGTH,
            "attack": ATTACK,
        },
    ),
    "wind": Kind(
        effects.wind, {"hz": _register((170, 240), (480, 640), (1300, 1700))}, fills=True, least=1.2
    ),
    "water_drop": Kind(effects.water_drop, {"hz": _register((300, 400), (650, 850), (1400, 1800))}),
    "laser": Kind(
        effects.laser,
        {
            "hz": _register((900, 1200), (2300, 3000), (5500, 7000)),
            "duration": _speed((1.0, 1.5), (0.4, 0.6), (0.12, 0.2)),
        },
    ),
    "beeps": Kind(
        effects.beeps,
        {
            "midi": _notes(48, 84, deep=55, middle=(62, 72), shrill=77),
            "rate": _speed((1.3, 1.8), (3.2, 4.2), (7.5, 10)),
        },
        fills=True,
        least=1.2,
    ),
    "four_on_the_floor": Kind(drums.loop, {"bpm": TEMPO}, fills=True, least=2.4),
}


ONSET = 0.003
"""Seconds of silence before every sound."""


def check(spec: SoundSpec) -> Kind:
    """The kind of a spec.

    Raises:
        ValueError: The kind is unknown, or it has no such attribute, word or number.
    """
    if spec.kind not in KINDS:
        raise ValueError(f"no kind {spec.kind!r}; there are {', '.join(KINDS)}")
    kind = KINDS[spec.kind]
    for name, value in vars(spec).items():
        if name == "kind" or value is None:
            continue
        if name in kind.exact:
            low, high = kind.exact[name]
            if not low <= value <= high:
                raise ValueError(f"{name} of {spec.kind} goes from {low} to {high}, not {value}")
        elif value not in kind.words.get(name, ()):
            raise ValueError(f"{spec.kind} cannot have {name}={value!r}; it may have {kind.words}")
    return kind


def _range(control: Control, spec: SoundSpec) -> tuple[float, float]:
    exact = None if control.exact is None else getattr(spec, control.exact)
    if exact is not None:
        return exact, exact
    return control.ranges[None if control.attribute is None else getattr(spec, control.attribute)]


def shortest(spec: SoundSpec) -> float:
    """The least number of seconds that a spec can be rendered in, and at least 0.5.

    Raises:
        ValueError: As for `render`.
    """
    kind = check(spec)
    duration = kind.controls.get("duration")
    return max(kind.least, 0 if duration is None else _range(duration, spec)[0] / SPARE)


def render(spec: SoundSpec, seconds: float, rng: np.random.Generator) -> Rendered:
    """Makes the sound that a spec asks for, at the start of `seconds` that end in silence.

    The result depends on nothing but the arguments: the same state of `rng` gives the same sound.

    Args:
        spec: What to make.
        seconds: Length of the result, from `shortest(spec)`.
        rng: Draws what the spec leaves open.

    Raises:
        ValueError: There is no such kind, it cannot have what is asked for, or `seconds` is too
            short for it.
    """
    kind = check(spec)
    if seconds < shortest(spec):
        raise ValueError(f"{spec} needs {shortest(spec):.2f} seconds at least, not {seconds}")
    numbers: dict[str, float] = {}
    for name, control in kind.controls.items():
        low, high = _range(control, spec)
        if control.exact is not None:
            numbers[name] = control.grid * round(rng.uniform(low, high) / control.grid)
        elif name == "duration" and high > SPARE * seconds:
            numbers[name] = low
        else:
            numbers[name] = either(rng, low, high)
    if kind.fills:
        numbers["duration"] = seconds - 0.02

    midi = None
    if "midi" in numbers:
        midi = int(numbers.pop("midi"))
        numbers["hz"] = 440 * 2 ** ((midi - 69) / 12)
    choice: dict[str, str] = {}
    if kind.instruments:
        choice["instrument"] = spec.instrument or str(rng.choice(kind.instruments))

    audio = finish(kind.play(rng, **numbers, **choice), seconds, ONSET)
    facts = dict(numbers)
    octaves = facts.pop("octaves", None)
    # Only a water drop sets its own duration.
    facts.setdefault("duration", 0.15)
    slope = None if octaves is None else octaves / facts["duration"]
    return Rendered(
        audio,
        Facts(kind=spec.kind, midi=midi, slope=slope, instrument=choice.get("instrument"), **facts),
    )
