"""Embedders: they make audio prompts from audio.

A complete third-party embedder::

    class Level(Embedder):
        '''How loud each second is, in both channels.'''

        NAME = "level"
        channels = 2

        def load(self, device: torch.device, downloaded: Downloaded) -> None:
            self.sample_rate = 16000

        def embed(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
            for window in windows(blocks, self.sample_rate, self.sample_rate):
                yield np.sqrt(np.mean(window**2, axis=1))[None]

    @hookimpl
    def audiogen_embedders(register):
        register("level", Level)

``audiogen embed`` reads the files, and writes what embedders make of them. A model with a
``pre_encoded_latent`` conditioner of the same width takes that as its ``audio_prompt``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.downloads import Downloaded
from audiogen_core.options import NoOptions, PluginOptions

if TYPE_CHECKING:
    import torch


class Embedder(ABC):
    """Makes rows of numbers from audio of any length.

    Attributes:
        NAME: What ``audiogen embed --embedder`` calls it.
        Options: What ``--set`` may give it.
        sample_rate: Of the audio that it takes, in hertz; known once it is loaded.
        channels: Of the audio that it takes: 1 for mono, 2 for stereo.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions
    sample_rate: int
    channels: int = 1

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    @abstractmethod
    def load(self, device: torch.device, downloaded: Downloaded) -> None:
        """Gets and loads what it computes with, and sets `sample_rate`. Called once.

        Args:
            device: Where to compute.
            downloaded: Is told how downloads go.

        Raises:
            InputError: An option names something that cannot be used; at its key.
            UnavailableError: It cannot be downloaded.
        """

    @abstractmethod
    def embed(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """Embeds one file, without ever holding all of it.

        Args:
            blocks: Its audio in the order of time, ``[channels, samples]``, of any lengths: how it
                is cut into blocks means nothing.

        Yields:
            Finite rows in the order of time, ``[rows, dim]``; at least one row of a file with at
            least one sample. ``dim`` is always the same.

        Raises:
            Exception: Anything that goes wrong; it costs this file alone.
        """
