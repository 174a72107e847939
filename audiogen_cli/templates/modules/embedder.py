"""The embedder: rows of numbers from audio."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from audiogen_core.arrays import FloatArray
from audiogen_core.downloads import Downloaded
from audiogen_core.interfaces.embedder import Embedder
from audiogen_core.options import PluginOptions
from audiogen_core.windows import windows

if TYPE_CHECKING:
    import torch


class MyPlugin(Embedder):
    """How loud each part of the audio is, in both channels."""

    NAME = "my-plugin"
    channels = 2

    class Options(PluginOptions):
        """What ``--set`` may give it."""

        seconds: float = Field(1.0, ge=0.01, le=60, description="The length of a part.")

    options: Options

    def load(self, device: torch.device, downloaded: Downloaded) -> None:
        """There is nothing to load; a model's weights would be loaded here."""
        self.sample_rate = 16000

    def embed(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """A row a part: the root mean square of its samples, ``[1, 2]``."""
        length = round(self.options.seconds * self.sample_rate)
        for window in windows(blocks, length, length):
            yield np.sqrt(np.mean(window**2, axis=1))[None]
