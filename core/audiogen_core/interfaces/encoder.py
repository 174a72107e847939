"""Encoders: they write one audio file.

A complete third-party encoder::

    class Raw(Encoder):
        '''Headerless 32-bit float samples, channels interleaved.'''

        NAME = "raw f32"
        EXTENSION = ".raw"

        def check(self, sample_rate: int, channels: int) -> None:
            pass

        def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
            path.write_bytes(audio.T.astype("<f4").tobytes())

    @hookimpl
    def audiogen_encoders(register):
        register("raw f32", Raw)

An encoder does not name files: it is given the path of a temporary file, which the core
publishes under its final name once it is whole.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.options import NoOptions, PluginOptions
from audiogen_core.tags import Tags

_ENDING = re.compile(r"\.[A-Za-z0-9]+")


class EncoderUnavailableError(Exception):
    """This machine, sample rate or channel count cannot be served; the message says what can."""


class Encoder(ABC):
    """Writes audio in one format.

    Attributes:
        NAME: What ``output.file_format`` calls it.
        EXTENSION: The ending of its files with the dot, ``".wav"``: letters and digits, and not
            ``".json"``, the ending of the metadata beside them.
        Options: What ``output.file_format`` may hold besides ``name`` when it is an object.
    """

    NAME: ClassVar[str]
    EXTENSION: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    @classmethod
    def misdeclared(cls) -> str | None:
        """What is wrong with the class itself, for messages."""
        ending = getattr(cls, "EXTENSION", None)
        if isinstance(ending, str) and _ENDING.fullmatch(ending) and ending.lower() != ".json":
            return None
        return f"must have an EXTENSION like '.wav', and not '.json', but has {ending!r}"

    @abstractmethod
    def check(self, sample_rate: int, channels: int) -> None:
        """Makes sure, before any model is loaded, that files can be written on this machine.

        Args:
            sample_rate: In hertz.
            channels: 1 for mono, 2 for stereo.

        Raises:
            EncoderUnavailableError: They cannot: why not, and what would help.
        """

    def expected_bytes(self, samples: int, sample_rate: int, channels: int) -> int | None:
        """How large a file will be, as far as can be told: `audiogen plan` adds it up.

        Args:
            samples: The length of the audio, in samples a channel.
            sample_rate: In hertz.
            channels: 1 for mono, 2 for stereo.

        Returns:
            Bytes; None where nobody can tell, which is what this does.
        """
        del samples, sample_rate, channels
        return None

    @abstractmethod
    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes a whole file. Called from any thread, only after `check` passed.

        The same arguments make the same bytes: no clock, no random number.

        Args:
            audio: Finite samples in [-1, 1], ``[channels, samples]``, at least one sample.
            sample_rate: In hertz.
            path: The file to write; its ending says nothing about the format.
            tags: What the file shall say about itself, as far as its format can.

        Raises:
            Exception: Anything that goes wrong; the core records it and removes the file.
        """
