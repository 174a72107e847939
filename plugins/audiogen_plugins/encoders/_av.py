"""Writing audio with PyAV, and reading back what was written to prove it.

PyAV is imported inside the functions: listing the formats must not load FFmpeg.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from audiogen_core.arrays import FloatArray
from audiogen_core.tags import SETTINGS_KEY, Tags
from audiogen_plugins._ffmpeg import LAYOUTS, blocks

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

    AudioPacket: TypeAlias = Packet[AudioStream]

SampleFormat: TypeAlias = Literal["s16", "s32", "flt", "fltp"]
"""What encoders take: packed 16-bit or 24-bit integers (in the high bits of 32), or floats."""


@dataclass(frozen=True)
class Written:
    """What a decoder makes of a file.

    Attributes:
        codec: FFmpeg's name of the codec: ``"mp3"``, ``"aac"``.
        profile: FFmpeg's name of the codec's profile, such as ``"HE-AACv2"``.
        sample_rate: In hertz.
        channels: Their number.
        samples: How many samples a channel come out of the decoder.
        bit_rate: Of the audio packets alone, without the container, in bits a second.
    """

    codec: str
    profile: str | None
    sample_rate: int
    channels: int
    samples: int
    bit_rate: float


def write(
    audio: FloatArray,
    sample_rate: int,
    path: Path,
    *,
    container: str,
    codec: str,
    sample_format: SampleFormat,
    tags: Tags | None = None,
    bit_rate: int | None = None,
    best_vbr: bool = False,
    profile: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> None:
    """Writes a whole file with one of the encoders that PyAV holds.

    Args:
        audio: Samples in [-1, 1], ``[channels, samples]``.
        sample_rate: In hertz.
        path: The file to write, whatever its ending.
        container: FFmpeg's name of the file format: ``"wav"``, ``"ipod"`` for M4A.
        codec: FFmpeg's name of the encoder.
        sample_format: What the encoder takes.
        tags: What the file says about itself; M4A takes none here, but from `_m4a.tag`.
        bit_rate: In bits a second, for encoders with a constant rate.
        best_vbr: Whether to encode at quality 0, the best variable bit rate.
        profile: FFmpeg's name of the codec's profile.
        options: Further options of the encoder.
        container_options: Options of the file format.

    Raises:
        ValueError: The audio is empty or holds NaN or infinity.
        RuntimeError: The encoder does not know one of the options.
        av.error.FFmpegError: FFmpeg refused the settings, or could not write.
    """
    import av

    if not audio.size:
        raise ValueError("audio holds no samples")
    layout = LAYOUTS[audio.shape[0] - 1]
    # Without "bitexact", Ogg draws random serial numbers, and FFmpeg names itself as the software.
    file_options = {"fflags": "+bitexact", **(container_options or {})}
    # Absolute, so that no file name is taken for a protocol ("a:b") or for standard output.
    with av.open(
        str(path.absolute()), "w", format=container, container_options=file_options
    ) as output:
        output.metadata.update(_metadata(container, tags or Tags()))
        stream = cast(
            "AudioStream", output.add_stream(codec, rate=sample_rate, options=dict(options or {}))
        )
        context = stream.codec_context
        context.layout = layout
        context.format = sample_format
        if bit_rate is not None:
            context.bit_rate = bit_rate
        if profile is not None:
            context.profile = profile
        # The quality itself is `global_quality`, which is 0, the best, unless it is set; PyAV
        # can set it only since version 18.
        context.qscale = best_vbr
        context.open()
        if context.options:
            raise RuntimeError(f"the encoder {codec} ignored the options {context.options}")
        for start, block in blocks(audio):
            frame = av.AudioFrame.from_ndarray(packed(block, sample_format), sample_format, layout)
            frame.sample_rate = sample_rate
            frame.pts = start
            output.mux(stream.encode(frame))
        rest = stream.encode(None)
        output.mux(
            rest if codec != "libmp3lame" else _without_spare_frame(rest, context.frame_size)
        )


def pcm_blocks(audio: FloatArray) -> Iterator[bytes]:
    """The audio as interleaved little-endian 16-bit samples, a block at a time."""
    for _, block in blocks(audio):
        yield packed(block, "s16").astype("<i2", copy=False).tobytes()


def packed(block: FloatArray, sample_format: SampleFormat) -> npt.NDArray[Any]:
    """The samples as an encoder takes them.

    Integers are rounded to the nearest: full scale becomes the highest positive number or its
    negative, and what is beyond it is clipped. Floats stay as they are.

    Args:
        block: ``[channels, samples]``.
        sample_format: FFmpeg's name of it.

    Returns:
        ``[channels, samples]`` for ``fltp``, otherwise ``[1, samples * channels]``, the channels
        interleaved; 24-bit integers stand in the high bits of 32.
    """
    if sample_format == "fltp":
        return block
    interleaved = block.T.reshape(1, -1)
    if sample_format == "flt":
        return interleaved
    bits = 16 if sample_format == "s16" else 24
    highest = 2 ** (bits - 1) - 1
    # 24 bits and their rounding are more than a float of 32 bits holds.
    scaled: npt.NDArray[np.float64] = np.rint(interleaved.astype(np.float64) * highest).clip(
        -highest - 1, highest
    )
    return scaled.astype(np.int16) if bits == 16 else scaled.astype(np.int32) << 8


def read_back(path: Path) -> Written:
    """Decodes a file and says what it is.

    Raises:
        av.error.FFmpegError: It cannot be decoded.
        ValueError: It holds no audio.
    """
    import av

    packets = size = samples = longest = 0
    with av.open(str(path.absolute())) as source:
        if not source.streams.audio:
            raise ValueError("it holds no audio")
        stream = source.streams.audio[0]
        context = stream.codec_context
        for packet in source.demux(stream):
            packets += bool(packet.size)
            size += packet.size
            for frame in packet.decode():
                samples += frame.samples
                longest = max(longest, frame.samples)
        if not samples:
            raise ValueError("it holds no audio")
        # Decoding comes first: HE-AAC may show itself only inside the packets.
        return Written(
            codec=context.codec.name.removesuffix("float"),  # the decoder of MP3 is "mp3float"
            profile=context.profile,
            sample_rate=context.sample_rate,
            channels=context.channels,
            samples=samples,
            # Every packet holds one whole frame, of which the ends may be cut off when decoding.
            bit_rate=size * 8 * context.sample_rate / (packets * longest),
        )


def probe_signal(sample_rate: int, channels: int) -> FloatArray:
    """One second of tones and noise, always the same, ``[channels, sample_rate]``."""
    time = np.arange(sample_rate) / sample_rate
    tones = [np.sin(2 * np.pi * (220 + 110 * channel) * time) for channel in range(channels)]
    noise = np.random.default_rng(0).standard_normal((channels, sample_rate))
    return (0.4 * np.stack(tones) + 0.05 * noise).astype(np.float32)


def reason(error: Exception) -> str:
    """What went wrong, without the number and the temporary path of a system's error."""
    return getattr(error, "strerror", None) or str(error)


_SOFTWARE_KEYS = {"wav": "ISFT", "mp3": "TSSE", "flac": "software", "ogg": "software"}
"""The key of the program that made a file; FFmpeg keeps its general name for itself."""


def _metadata(container: str, tags: Tags) -> dict[str, str]:
    """The tags by the keys that FFmpeg takes for a container; none for one that is not listed."""
    if container not in _SOFTWARE_KEYS:
        return {}
    metadata = {
        "title": tags.title,
        # WAV has a fixed set of keys (RIFF INFO) and drops all others.
        "comment": tags.comment_with_settings if container == "wav" else tags.comment,
        _SOFTWARE_KEYS[container]: tags.software,
        SETTINGS_KEY: tags.settings,
    }
    return {key: text for key, text in metadata.items() if text}


def _without_spare_frame(packets: list[AudioPacket], frame_size: int) -> list[AudioPacket]:
    """Leaves out a last frame of MP3 that holds nothing of the audio.

    LAME appends one when the frame before it is nearly full. FFmpeg then counts the padding of
    the last frame alone, and the file claims to be up to 46 samples longer than the audio: at
    44.1 kHz, for one duration in 25. The first frames stay: FFmpeg does not
    recognise a file of a single one.
    """
    if len(packets) > 1:
        *others, before, last = packets
        if not last.duration and (before.duration or 0) < frame_size and (before.pts or 0) > 0:
            return [*others, before]
    return packets
