"""Contract checks for encoders: run them over your format, as this project does over its own.

In a test of your own::

    def test_my_format():
        check_encoder(MyFormat, min_snr_db=20)

Every check encodes real audio, decodes it again, and raises `AssertionError` with what differed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder
from audiogen_core.options import PluginOptions, validate
from audiogen_core.tags import Tags, read_tags

TAGS = Tags(
    title='A 🎷 jazz piece: «Ünïcode», 50% / "quoted"',
    comment="euler, 50 steps, cfg 7.0, seed 42",
    software="audiogen 0.0.0",
    settings='{"conditioning": {"prompt": "A 🎷 jazz piece"}, "seed": 42}',
)
"""What the checks let every file say about itself."""

TagReader: TypeAlias = Callable[[Path], dict[str, str]]
"""Reads a file's tags: their texts by keys in lower case."""

Decoder: TypeAlias = Callable[[Path], tuple[FloatArray, int]]
"""Reads a file: the audio, ``[channels, samples]``, and its sample rate in hertz."""


def tones(seconds: float, sample_rate: int = 44100, channels: int = 2) -> FloatArray:
    """A different chord in every channel, at a level of about -9 dB RMS: ``[channels, samples]``.

    It fades in and out and never repeats, so that a decoder's delay can be read off it.
    """
    samples = max(1, round(seconds * sample_rate))
    time = np.arange(samples) / sample_rate
    # Rising by an octave over the whole length: no shift in time looks like another one.
    rise = time * (1 + 0.5 * np.arange(samples) / samples)
    bases = 220.0 * 1.5 ** np.arange(channels)[:, None]
    chord = 0.6 * np.sin(2 * np.pi * bases * rise) + 0.3 * np.sin(4.2 * np.pi * bases * rise)
    fade = np.minimum(1, (0.5 + np.minimum(np.arange(samples), np.arange(samples)[::-1])) / 441)
    return cast("FloatArray", (chord * fade).astype(np.float32))


def square(seconds: float, sample_rate: int = 44100, channels: int = 2) -> FloatArray:
    """A square wave of 50 Hz between -1 and 1, the same in every channel: where clipping shows."""
    time = np.arange(max(1, round(seconds * sample_rate))) / sample_rate
    wave = np.where(time * 50 % 1 < 0.5, 1.0, -1.0).astype(np.float32)
    return np.tile(wave, (channels, 1))


def decode(path: Path, container: str | None = None) -> tuple[FloatArray, int]:
    """Reads any file that FFmpeg knows, through PyAV.

    Args:
        path: The file.
        container: FFmpeg's name of the file format, for files too short to be recognised.

    Returns:
        The audio as floats, ``[channels, samples]``, with full scale at 1 (integers are divided
        by 2 to the power of their bits less one, unsigned ones once their middle is silence),
        and its sample rate in hertz.
    """
    import av

    blocks: list[npt.NDArray[Any]] = []
    with av.open(str(path.absolute()), format=container) as source:
        if not source.streams.audio:
            raise ValueError(f"{path.name} holds no audio that FFmpeg recognises")
        stream = source.streams.audio[0]
        for frame in source.decode(stream):
            block = frame.to_ndarray()
            if not frame.format.is_planar:
                block = block.reshape(-1, frame.layout.nb_channels).T
            blocks.append(block)
        rate = stream.codec_context.sample_rate
    if not blocks:
        raise ValueError(f"{path.name} holds no audio")
    audio = np.concatenate(blocks, axis=1)
    if np.issubdtype(audio.dtype, np.integer):
        lowest, highest = np.iinfo(audio.dtype).min, np.iinfo(audio.dtype).max
        full = (highest - lowest + 1) / 2
        audio = (audio - (lowest + full)) / full
    return audio.astype(np.float32), rate


def find_lag(decoded: FloatArray, audio: FloatArray) -> int:
    """How many samples later ``audio`` appears in ``decoded``, by their cross-correlation."""
    size = 1 << (decoded.shape[1] + audio.shape[1]).bit_length()
    spectrum = np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(audio, size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size).sum(axis=0)))
    return lag if lag < size // 2 else lag - size


def snr_db(decoded: FloatArray, audio: FloatArray, lag: int = 0) -> float:
    """The signal-to-noise ratio in decibels where the two overlap, ``decoded`` moved by ``lag``."""
    found, wanted = _overlap(decoded, audio, lag)
    noise = float(np.mean((found - wanted) ** 2))
    return float("inf") if noise == 0 else 10 * np.log10(float(np.mean(wanted**2)) / noise)


def check_encoder(
    encoder_class: type[Encoder],
    *,
    sample_rate: int = 44100,
    channels: int = 2,
    options: PluginOptions | Mapping[str, Any] | None = None,
    decoder: Decoder = decode,
    tag_reader: TagReader | None = read_tags,
    min_snr_db: float = 20.0,
    level_tolerance_db: float = 0.5,
    max_error: float | None = None,
    max_lag: int = 0,
    duration_tolerance: int = 0,
    shortest: int = 1,
) -> None:
    """Runs every check of this module over one encoder.

    Args:
        encoder_class: The encoder.
        sample_rate: In hertz.
        channels: 1 for mono, 2 for stereo.
        options: The encoder's options, or what ``output.file_format`` holds besides ``name``; its
            defaults without them.
        decoder: What reads its files; PyAV unless something else is given.
        tag_reader: What reads their tags; None for a format that has none.
        min_snr_db: The least signal-to-noise ratio of `tones`, once aligned, in decibels.
        level_tolerance_db: How far the level of `tones` may move, in decibels.
        max_error: For a lossless format, the largest difference that any sample may have:
            ``1.5 / 32768`` for 16 bits.
        max_lag: How many samples too late or too early the audio may start.
        duration_tolerance: How many samples too long or too short the audio may be.
        shortest: The fewest samples that the decoder has to give back.

    Raises:
        AssertionError: A check failed; the message says what was wanted and what came.
        EncoderUnavailableError: ``check`` refused this machine, sample rate or channel count.
    """
    assert encoder_class.NAME, "NAME must not be empty"
    ending = encoder_class.EXTENSION
    assert ending.startswith("."), f"EXTENSION must start with a dot, but is {ending!r}"
    if not isinstance(options, PluginOptions):
        options = validate(encoder_class.Options, dict(options or {}))
    encoder = encoder_class(options)
    encoder.check(sample_rate, channels)
    trip = RoundTrip(encoder, decoder, sample_rate, max_lag, duration_tolerance)
    check_tones(
        trip,
        channels,
        min_snr_db=min_snr_db,
        level_tolerance_db=level_tolerance_db,
        max_error=max_error,
    )
    check_short(trip, channels, (shortest, max(shortest, sample_rate // 10)))
    check_silence(trip, channels)
    check_full_scale(trip, channels)
    check_threads(trip, channels)
    check_bytes(encoder, sample_rate, channels)
    if tag_reader is not None:
        check_tags(encoder, sample_rate, channels, tag_reader)


@dataclass(frozen=True)
class RoundTrip:
    """An encoder with what reads its files, and how exact the two together have to be.

    Attributes:
        encoder: The encoder.
        decoder: What reads its files.
        sample_rate: In hertz.
        max_lag: How many samples too late or too early the audio may start.
        duration_tolerance: How many samples too long or too short it may be.
    """

    encoder: Encoder
    decoder: Decoder
    sample_rate: int
    max_lag: int = 0
    duration_tolerance: int = 0

    def __call__(self, audio: FloatArray) -> FloatArray:
        """Encodes ``audio``, ``[channels, samples]``, and decodes it again.

        Raises:
            AssertionError: It left another file or none, changed its input, or the rate, the
                number of channels or the duration is wrong.
        """
        given = audio.copy()
        given.setflags(write=False)
        with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
            # The core hands out such names; ".part" must not decide about the format.
            path = Path(folder, "a b: ü.part")
            self.encoder.encode(given, self.sample_rate, path, TAGS)
            left = [entry.name for entry in Path(folder).iterdir()]
            assert left == [path.name], f"encode was to write {path.name!r} alone, but left {left}"
            published = path.rename(path.with_suffix(self.encoder.EXTENSION))
            decoded, rate = self.decoder(published)
        assert rate == self.sample_rate, f"{self.sample_rate} Hz became {rate} Hz"
        assert decoded.shape[0] == audio.shape[0], (
            f"{audio.shape[0]} channels became {decoded.shape[0]}"
        )
        excess = decoded.shape[1] - audio.shape[1]
        assert abs(excess) <= self.duration_tolerance or _is_tiny(audio, decoded), (
            f"{audio.shape[1]} samples became {decoded.shape[1]}, "
            f"which is more than {self.duration_tolerance} off"
        )
        return decoded


def check_tones(
    trip: RoundTrip,
    channels: int,
    *,
    min_snr_db: float,
    level_tolerance_db: float,
    max_error: float | None,
) -> None:
    """Two seconds of `tones` keep their place in time, their level and their shape."""
    audio = tones(2.0, trip.sample_rate, channels)
    decoded = trip(audio)
    lag = find_lag(decoded, audio)
    assert abs(lag) <= trip.max_lag, f"the audio starts {lag} samples late, over {trip.max_lag}"
    found, wanted = _overlap(decoded, audio, lag)
    for channel in range(channels):
        change = 20 * np.log10(_rms(found[channel]) / _rms(wanted[channel]))
        assert abs(change) <= level_tolerance_db, (
            f"the level of channel {channel} changed by {change:+.2f} dB, "
            f"over {level_tolerance_db} dB"
        )
    ratio = snr_db(decoded, audio, lag)
    assert ratio >= min_snr_db, (
        f"the signal-to-noise ratio is {ratio:.1f} dB, below {min_snr_db} dB"
    )
    if max_error is not None:
        error = float(np.max(np.abs(found - wanted)))
        assert error <= max_error, f"a sample is {error:.2g} off, over {max_error:.2g}"


def check_short(trip: RoundTrip, channels: int, lengths: Sequence[int]) -> None:
    """Audio of a few samples can be written and read."""
    for samples in lengths:
        trip(tones(samples / trip.sample_rate, trip.sample_rate, channels))


def check_silence(trip: RoundTrip, channels: int) -> None:
    """Silence stays silence."""
    decoded = trip(np.zeros((channels, trip.sample_rate), np.float32))
    peak = float(np.max(np.abs(decoded)))
    assert peak <= 1e-3, f"silence came back with a peak of {peak:.2g}"


def check_full_scale(trip: RoundTrip, channels: int) -> None:
    """A square wave at full scale neither wraps around nor loses its level."""
    audio = square(1.0, trip.sample_rate, channels)
    decoded = trip(audio)
    found, wanted = _overlap(decoded, audio, _near_lag(decoded, audio, trip.max_lag))
    # Away from the edges, where lossy formats ring, and from the ends, where they settle.
    time = np.arange(wanted.shape[1]) / trip.sample_rate
    level = (np.abs(time * 100 % 1 - 0.5) < 0.2) & (time > 0.1) & (time < 0.9)
    # An overflow would turn every other half of the wave around; a codec may bend a few.
    kept = float(np.mean((found * wanted)[:, level] > 0.5))
    assert kept > 0.8, f"only {kept:.0%} of a square wave at full scale kept their sign and level"


def check_threads(trip: RoundTrip, channels: int) -> None:
    """Two threads at once, with one encoder, write what they would have written alone."""
    signals = [tones(0.5 + 0.1 * number, trip.sample_rate, channels) for number in range(4)]
    alone = [trip(signal) for signal in signals]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(trip, signals))
    for number, (one, other) in enumerate(zip(alone, together, strict=True)):
        assert np.array_equal(one, other), f"file {number} of 4 differs when two threads encode"


def check_bytes(encoder: Encoder, sample_rate: int, channels: int) -> None:
    """The same audio with the same tags makes the same bytes."""
    audio = tones(0.5, sample_rate, channels)
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        paths = [Path(folder, name) for name in ("first", "second")]
        for path in paths:
            encoder.encode(audio, sample_rate, path, TAGS)
        first, second = (path.read_bytes() for path in paths)
    assert first == second, "the same audio, encoded twice, made different files"


def check_tags(
    encoder: Encoder, sample_rate: int, channels: int, tag_reader: TagReader = read_tags
) -> None:
    """The file says what it was told to say, in any language and at any length."""
    audio = tones(0.5, sample_rate, channels)
    for tags in (TAGS, replace(TAGS, title="très long 🎷 " * 10_000)):
        with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
            path = Path(folder, f"tagged{encoder.EXTENSION}")
            encoder.encode(audio, sample_rate, path, tags)
            found = tag_reader(path)
        title = found.get("title", "")
        assert title == tags.title, f"the title is {title[:80]!r} instead of {tags.title[:80]!r}"
        comment = found.get("comment", "")
        assert comment.startswith(tags.comment), f"the comment is {comment[:80]!r}"
        for what, text in (("software", tags.software), ("settings", tags.settings)):
            assert any(text in one for one in found.values()), f"no tag holds the {what}: {text}"


def _is_tiny(audio: FloatArray, decoded: FloatArray) -> bool:
    """Whether a few samples became no more than a few frames.

    The padding of an MP3 file is at most one frame for FFmpeg: one sample comes back as 47.
    """
    return bool(audio.shape[1] < 64 and 0 < decoded.shape[1] <= 4096)


def _overlap(decoded: FloatArray, audio: FloatArray, lag: int) -> tuple[FloatArray, FloatArray]:
    """The parts of the two that lie over each other when ``decoded`` is moved by ``lag``."""
    found = decoded[:, max(lag, 0) :]
    wanted = audio[:, max(-lag, 0) :]
    length = min(found.shape[1], wanted.shape[1])
    return found[:, :length], wanted[:, :length]


def _near_lag(decoded: FloatArray, audio: FloatArray, limit: int) -> int:
    """The lag of a periodic signal: the smallest that fits, within ``limit``."""
    return lag if abs(lag := find_lag(decoded, audio)) <= limit else 0


def _rms(audio: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
