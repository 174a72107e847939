"""The output format: 32-bit floating-point WAV."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import Tags

MAX_BYTES = 2**32 - 1
"""The largest size that the header of a WAV file can state."""


class MyPlugin(Encoder):
    """WAV with 32-bit floats: exactly what the model made."""

    NAME = "my-plugin"
    EXTENSION = ".wav"

    def check(self, sample_rate: int, channels: int) -> None:
        """Makes sure that a header can say this rate and these channels."""
        if 4 * sample_rate * channels > MAX_BYTES:
            raise EncoderUnavailableError(
                f"'{self.NAME}' cannot be written at {sample_rate} Hz with {channels} channels"
            )

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes ``audio``, ``[channels, samples]``, as IEEE floats (format tag 3)."""
        channels, samples = audio.shape
        frame = 4 * channels
        form = struct.pack("<HHIIHHH", 3, channels, sample_rate, sample_rate * frame, frame, 32, 0)
        texts = {b"INAM": tags.title, b"ICMT": tags.comment_with_settings, b"ISFT": tags.software}
        info = b"".join(_chunk(key, text.encode() + b"\0") for key, text in texts.items() if text)
        chunks = _chunk(b"fmt ", form) + _chunk(b"fact", struct.pack("<I", samples))
        chunks += _chunk(b"LIST", b"INFO" + info)
        chunks += _chunk(b"data", np.ascontiguousarray(audio.T, "<f4").tobytes())
        path.write_bytes(_chunk(b"RIFF", b"WAVE" + chunks))


def _chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a RIFF file, padded to an even number of bytes."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
