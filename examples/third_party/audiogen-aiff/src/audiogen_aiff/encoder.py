"""The output format: AIFF files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import SETTINGS_KEY, Tags


class Aiff(Encoder):
    """16-bit PCM in an AIFF file."""

    NAME = "aiff"
    EXTENSION = ".aiff"

    def check(self, sample_rate: int, channels: int) -> None:
        """Mono and stereo, at any rate."""
        if channels > 2:
            raise EncoderUnavailableError(f"'aiff' here holds 1 or 2 channels, not {channels}")

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes the file through PyAV, with its tags in an ID3 chunk."""
        import av

        channels = audio.shape[0]
        layout = "stereo" if channels == 2 else "mono"
        samples = np.round(audio * 32767).clip(-32768, 32767).astype(np.int16)
        options = {"write_id3v2": "1", "fflags": "+bitexact"}
        with av.open(path, "w", format="aiff", container_options=options) as container:
            container.metadata.update(
                {
                    "title": tags.title,
                    "comment": tags.comment,
                    "TSSE": tags.software,
                    SETTINGS_KEY: tags.settings,
                }
            )
            stream = container.add_stream("pcm_s16be", rate=sample_rate, layout=layout)
            packed = np.ascontiguousarray(samples.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
            frame.sample_rate = sample_rate
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
