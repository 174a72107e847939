"""Captions: a `SoundSpec` in plain English, in many wordings.

A caption says everything that the spec says, and nothing else. Its tokens are what `WORD` matches
in the lower-cased text; whatever lies between, spaces and punctuation, means nothing:

    "A short, bright F#3 hi-hat."  ->  a short bright f#3 hi hat

- A note name with its octave is one token: `a4`, `c#4`, `bb2`. So is a name with a sharp: `c#`. A
  plain letter is a word like every other: `c`, and `a`, which is the article as well.
- A written-out note is three: `c sharp 3`. A note without its octave lies in `OCTAVE`; only A is
  never named so, because "a minor chord" would be any minor chord.
- A whole number is one token: `120`.

A word-level tokenizer of the tokenizers library is `Lowercase`, `Split(Regex(WORD), "removed",
invert=True)` and a `WordLevel` model with `vocabulary()`.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from audiogen_training.sounds import KINDS, SoundSpec

Split = Literal["train", "heldout"]

WORD = r"[a-g][#b]?[0-9]\b|[a-g]#|[a-z]+|[0-9]+"
"""What a token is, in lower-cased text: for `re` and for the regular expressions of tokenizers."""

NOUNS: Mapping[str, Sequence[str]] = {
    "kick": ("kick", "kick drum", "bass drum", "kick drum hit"),
    "snare": ("snare", "snare drum", "snare hit", "snare drum hit"),
    "clap": ("clap", "hand clap", "handclap", "clap of hands"),
    "closed_hat": ("closed hi-hat", "closed hat", "closed hihat", "closed hi-hat cymbal"),
    "open_hat": ("open hi-hat", "open hat", "open hihat", "open hi-hat cymbal"),
    "tom": ("tom", "tom drum", "tom-tom", "tom hit"),
    "sine": ("sine", "sine wave", "sine tone", "pure tone", "sine wave tone"),
    "saw": ("saw", "saw wave", "sawtooth", "sawtooth wave", "saw tone", "sawtooth tone"),
    "square": ("square wave", "square tone", "square wave tone", "square synth"),
    "bell": ("bell", "bell sound", "bell tone", "chime", "ringing bell"),
    "pluck": ("plucked string", "string pluck", "pluck", "plucked guitar string", "plucked guitar"),
    "organ": ("organ", "organ tone", "organ sound", "electric organ"),
    "bass": ("bass", "synth bass", "bass synth", "bass sound", "bass tone"),
    "pad": ("pad", "synth pad", "pad sound", "pad synth"),
    "major_chord": ("major chord", "major triad"),
    "minor_chord": ("minor chord", "minor triad"),
    "rising_sweep": ("rising sweep", "upward sweep", "sweep going up", "riser", "rising tone"),
    "falling_sweep": ("falling sweep", "downward sweep", "sweep going down", "falling tone"),
    "siren": ("siren", "alarm siren", "police siren", "wailing siren"),
    "noise_burst": ("noise burst", "burst of noise", "burst of static", "static burst"),
    "wind": ("wind", "wind noise", "blowing wind", "wind sound"),
    "water_drop": ("water drop", "drop of water", "water drip", "drip of water", "dripping water"),
    "laser": ("laser", "laser shot", "laser zap", "laser gun", "laser sound"),
    "beeps": ("beeps", "beep pattern", "series of beeps", "beeping", "repeated beeps"),
    "four_on_the_floor": (
        "four-on-the-floor beat",
        "four on the floor loop",
        "four-on-the-floor drum loop",
        "house beat",
        "techno beat",
        "dance beat",
        "drum loop",
        "drum beat",
    ),
}
"""What each kind is called."""

UNCOUNTABLE = (
    *("wind", "wind noise", "blowing wind", "dripping water"),
    *("beeps", "beeping", "repeated beeps"),
)
"""The nouns that take no "a"."""

CHORD_INSTRUMENTS: Mapping[str, Sequence[str]] = {
    "organ": ("organ", "electric organ"),
    "saw": ("saw", "sawtooth", "saw wave"),
    "pluck": ("plucked string", "guitar", "plucked guitar"),
    "pad": ("pad", "synth pad"),
    "bell": ("bell", "chime"),
}

BEFORE: Mapping[str, Sequence[str]] = {
    "low": ("low", "deep", "low-pitched"),
    "high": ("high", "high-pitched"),
    "short": ("short", "brief"),
    "long": ("long", "lengthy"),
    "dark": ("dark", "dull", "muffled", "mellow"),
    "bright": ("bright", "brilliant", "crisp"),
    "soft": ("soft", "gentle"),
    "loud": ("loud", "punchy", "hard"),
    "slow": ("slow",),
    "fast": ("fast", "quick", "rapid"),
}
"""The adjectives that say a word of a spec."""

AFTER: Mapping[str, Sequence[str]] = {
    "low": ("with a low pitch", "at a low pitch", "that is low"),
    "high": ("with a high pitch", "at a high pitch", "that is high"),
    "short": ("with a short decay", "that is short", "of short length"),
    "long": ("with a long decay", "that is long", "of long length"),
    "dark": ("with a dark tone", "with a dark sound", "that sounds dull"),
    "bright": ("with a bright tone", "with a bright sound", "that sounds bright"),
    "soft": ("with a soft attack", "with a gentle attack", "that starts softly"),
    "loud": ("with a loud attack", "with a hard attack", "with a sharp attack"),
    "slow": ("that is slow", "at a slow speed", "with a slow pace"),
    "fast": ("that is fast", "at a fast speed", "with a fast pace"),
}
"""What says the same behind the noun."""

FILLERS = ("nice", "clean", "simple", "single", "cool", "good")
"""Adjectives that change nothing."""

NOTE_BEFORE = ("{note} {noun}", "{note} note {noun}")
NOTE_AFTER = (
    *("at {note}", "in {note}", "on {note}", "playing {note}", "playing the note {note}"),
    *("on the note {note}", "with the pitch {note}", "tuned to {note}", "at the pitch of {note}"),
)
BPM_BEFORE = ("{bpm} bpm {noun}",)
BPM_AFTER = (
    "at {bpm} bpm",
    "at {bpm} beats per minute",
    "with a tempo of {bpm} bpm",
    "in {bpm} bpm",
)
INSTRUMENT_BEFORE = ("{instrument} {noun}",)
INSTRUMENT_AFTER = (
    *("on a {instrument}", "played on a {instrument}", "played by a {instrument}"),
    *("from a {instrument}", "with a {instrument} sound"),
)

FRAMES: Mapping[Split, Sequence[str]] = {
    "train": (
        # Mostly what people type: the thing itself, with or without its article.
        *("{bare}",) * 6,
        *("{a}",) * 5,
        *("{the}", "{bare}, please", "the sound of {a}", "sound of {a}", "a sound of {a}"),
        *("play {a}", "make {a}", "generate {a}", "please make {a}", "please play {a}"),
        *(
            "i want {a}",
            "i want to hear {a}",
            "can you play {a}",
            "give me {a}",
            "a recording of {a}",
        ),
        *("this is {a}", "there is {a}", "we hear {a}", "audio of {a}", "an audio clip of {a}"),
    ),
    "heldout": (
        *(
            "please generate {a}",
            "i want the sound of {a}",
            "can you make {a}, please",
            "make me {a}",
        ),
        *(
            "play me the sound of {a}",
            "i want to hear the sound of {a}",
            "this is the sound of {a}",
        ),
        *(
            "a clip of {a}",
            "please give me {a}",
            "generate the sound of {a}",
            "we hear the sound of {a}",
        ),
    ),
}
"""The sentences around the noun and its adjectives. The two splits share no sentence."""

SHARPS = ("c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b")
FLATS = ("c", "db", "d", "eb", "e", "f", "gb", "g", "ab", "a", "bb", "b")
ACCIDENTALS = {"#": "sharp", "b": "flat"}

OCTAVE = 4
"""Where a note lies that is named without its octave; a bass plays it in `BASS_OCTAVE`."""

BASS_OCTAVE = 2

HELD_OUT_SHARE = 6
"""One of so many wordings that the training frames can make is held out."""


def tokenize(text: str) -> list[str]:
    """The tokens of a caption."""
    return re.findall(WORD, text.lower())


def wording(caption: str) -> str:
    """A caption without its note and tempo, as tokens: what one split has and the other has not."""
    text = re.sub(
        r"\b[a-g][#b]?[0-9]\b|\b[a-g] (sharp|flat)( [0-9])?\b|\b[a-g]#", "NOTE", caption.lower()
    )
    return " ".join(re.findall(r"NOTE|[a-z]+|[0-9]+", re.sub("[0-9]+", "0", text)))


def _held_out(caption: str) -> bool:
    # The shortest wordings are what people type first: none of them is kept from the model.
    words = wording(caption)
    return len(words.split()) > 3 and zlib.crc32(words.encode()) % HELD_OUT_SHARE == 0


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _note(rng: np.random.Generator, midi: int, kind: str) -> str:
    """A name of the note, such as "a4", "C#4", "B flat 2" or "Eb"."""
    octave, step = midi // 12 - 1, midi % 12
    name = _pick(rng, (SHARPS[step], FLATS[step]))
    # A lone "a" would be an article.
    named = (
        rng.random() < 0.3 and octave == (BASS_OCTAVE if kind == "bass" else OCTAVE) and name != "a"
    )
    number = "" if named else str(octave)
    if len(name) == 2 and rng.random() < 0.35:
        name = f"{name[0]} {ACCIDENTALS[name[1]]} "
    elif rng.random() < 0.1:
        name += " "
    if rng.random() < 0.6:
        name = name[0].upper() + name[1:]
    return (name + number).strip()


def _article(phrase: str) -> str:
    first = tokenize(phrase)[0]
    # As it is spoken: an organ, an F#3, an 85 bpm beat; a flute, a G, a 120 bpm beat.
    an = re.fullmatch(r"[aeio].*|f|f#|f[#b]?[0-9]|8[0-9]", first)
    return f"an {phrase}" if an else f"a {phrase}"


def _thing(spec: SoundSpec, rng: np.random.Generator) -> tuple[str, bool]:
    """The noun with everything that the spec says about it, and whether it takes an "a"."""
    noun = _pick(rng, NOUNS[spec.kind])
    countable = noun not in UNCOUNTABLE
    before: list[str] = []
    after: list[str] = []

    if spec.instrument is not None:
        instrument = _pick(rng, CHORD_INSTRUMENTS[spec.instrument])
        if rng.random() < 0.5:
            noun = _pick(rng, INSTRUMENT_BEFORE).format(instrument=instrument, noun=noun)
        else:
            text = _pick(rng, INSTRUMENT_AFTER).format(instrument=instrument)
            after.append(text.replace(f"a {instrument}", _article(instrument)))
    if spec.midi is not None:
        note = _note(rng, spec.midi, spec.kind)
        if rng.random() < 0.4:
            noun = _pick(rng, NOTE_BEFORE).format(note=note, noun=noun)
        else:
            after.append(_pick(rng, NOTE_AFTER).format(note=note))
    if spec.bpm is not None:
        if rng.random() < 0.3:
            noun = _pick(rng, BPM_BEFORE).format(bpm=spec.bpm, noun=noun)
        else:
            after.append(_pick(rng, BPM_AFTER).format(bpm=spec.bpm))
    for word in (spec.register, spec.length, spec.brightness, spec.attack, spec.speed):
        if word is not None:
            if rng.random() < 0.75:
                before.append(_pick(rng, BEFORE[word]))
            else:
                after.append(_pick(rng, AFTER[word]))
    if rng.random() < 0.08:
        before.append(_pick(rng, FILLERS))

    rng.shuffle(before)
    rng.shuffle(after)
    if before and rng.random() < 0.06:
        # Like the tags of a sample library.
        return ", ".join([noun, *before, *after]), countable
    joined = (", " if rng.random() < 0.3 else " ").join(before)
    return " ".join(filter(None, [joined, noun, *after])), countable


def _phrase(spec: SoundSpec, rng: np.random.Generator, split: Split) -> str:
    thing, countable = _thing(spec, rng)
    frame = _pick(rng, FRAMES[split])
    return frame.format(bare=thing, a=_article(thing) if countable else thing, the=f"the {thing}")


def caption(spec: SoundSpec, rng: np.random.Generator, split: Split = "train") -> str:
    """Says a spec in words.

    Args:
        spec: What to say.
        rng: Draws the wording.
        split: "train", or "heldout" for wordings (frames, or combinations of words) from the same
            vocabulary that "train" never makes.
    """
    if split == "heldout" and rng.random() < 0.5:
        text = _phrase(spec, rng, "heldout")
    else:
        text = _phrase(spec, rng, "train")
        while _held_out(text) != (split == "heldout"):
            text = _phrase(spec, rng, "train")
    style = rng.random()
    if style < 0.2:
        text = text[0].upper() + text[1:]
    elif style < 0.23:
        text = text.upper()
    return text + "." if rng.random() < 0.2 else text


def _texts() -> Iterator[str]:
    """Every text that a caption is put together from."""
    for said in (NOUNS, CHORD_INSTRUMENTS, BEFORE, AFTER, FRAMES):
        yield from itertools.chain.from_iterable(said.values())
    for texts in (
        NOTE_BEFORE,
        NOTE_AFTER,
        BPM_BEFORE,
        BPM_AFTER,
        INSTRUMENT_BEFORE,
        INSTRUMENT_AFTER,
    ):
        yield from texts
    yield from FILLERS
    yield from ("a", "an", "the", *ACCIDENTALS.values())
    for kind in KINDS.values():
        low, high = kind.exact.get("bpm", (0, -1))
        yield from map(str, range(low, high + 1))
        low, high = kind.exact.get("midi", (0, -1))
        for midi in range(low, high + 1):
            octave = str(midi // 12 - 1)
            for names in (SHARPS, FLATS):
                name = names[midi % 12]
                yield from (name, name[0], octave, name + octave)


def vocabulary() -> list[str]:
    """Every token that a caption can have, sorted; without the special tokens of a tokenizer."""
    # The fields of the templates are no words.
    texts = (re.sub(r"{\w+}", "", text) for text in _texts())
    return sorted(set(itertools.chain.from_iterable(map(tokenize, texts))))
