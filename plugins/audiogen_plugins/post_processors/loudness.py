"""``loudness``: brings outputs to the same loudness, as broadcasters and streaming services do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor
from audiogen_core.options import PluginOptions
from audiogen_plugins._ffmpeg import LAYOUTS, filtered

GATE = -70.0
"""In LUFS: below it nothing counts, and what FFmpeg reports where nothing counted."""


class Loudness(PostProcessor):
    """One gain for the whole output, to a loudness, or as near as the true peak allows.

    Integrated loudness and true peak are those of ITU-R BS.1770-4, measured with FFmpeg's
    ``ebur128``. What has no loudness, since it is shorter than 400 ms or too sparse, is brought to
    the limit of the true peak, with a note; silence stays silence.
    """

    NAME = "loudness"

    class Options(PluginOptions):
        """Options of ``loudness``."""

        lufs: float = Field(-14.0, ge=-60, le=0, description="The integrated loudness, in LUFS.")
        true_peak: float = Field(
            -1.0, ge=-60, le=0, description="The highest true peak allowed, in dBTP."
        )

    options: Options

    def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
        """Scales ``audio``, ``[channels, samples]``."""
        peak = np.abs(audio).max()
        if peak == 0:
            return audio
        # FFmpeg tells three decimals of the peak: at full scale they are enough, whatever came in.
        full = audio / peak
        found = measure(full, context.sample_rate)
        room = self.options.true_peak - found.true_peak
        if found.loudness is None:
            context.note("no loudness can be measured: only its true peak was set")
            gain = room
        else:
            gain = self.options.lufs - found.loudness
            if gain > room:
                context.note(
                    f"its true peak allows {found.loudness + room:.1f} LUFS, "
                    f"not {self.options.lufs:g}"
                )
                gain = room
        scaled: FloatArray = full * np.float32(10 ** (gain / 20))
        return scaled


@dataclass(frozen=True)
class Measured:
    """What FFmpeg found.

    Attributes:
        loudness: Integrated, in LUFS; None where nothing was loud and long enough.
        true_peak: Of all channels, in dBTP.
    """

    loudness: float | None
    true_peak: float


def measure(audio: FloatArray, sample_rate: int) -> Measured:
    """Measures audio that is not silent, ``[channels, samples]``.

    Raises:
        ValueError: There are more channels than FFmpeg has layouts for.
    """
    if len(audio) > len(LAYOUTS):
        raise ValueError(f"loudness is defined for 1 to {len(LAYOUTS)} channels, not {len(audio)}")
    # FFmpeg measures whole tenths of a second. That is what loudness is defined by, but a peak may
    # stand in the rest, or come out of the interpolation late.
    padded = np.pad(audio, ((0, 0), (0, sample_rate // 5)))
    true_peak = float(_ebur128(padded, sample_rate, ":peak=true")["lavfi.r128.true_peak"])
    # What is interpolated may pass below a lonely sample.
    highest = max(true_peak, float(np.abs(audio).max()))
    return Measured(integrated(audio, sample_rate), 20 * math.log10(highest))


def integrated(audio: FloatArray, sample_rate: int) -> float | None:
    """The integrated loudness of audio, ``[channels, samples]``, in LUFS.

    Returns:
        None where nothing was loud and long enough.
    """
    loudness = float(_ebur128(audio, sample_rate, "").get("lavfi.r128.I", GATE))
    return loudness if loudness > GATE else None


def _ebur128(audio: FloatArray, sample_rate: int, options: str) -> dict[str, str]:
    """What FFmpeg has told of the audio when it has seen all of it."""
    told: dict[str, str] = {}
    for frame in filtered(audio, sample_rate, ("ebur128", f"metadata=1{options}")):
        told.update(frame.metadata)
    return told
