"""Post-processors: they change the audio of an output before it is encoded.

A complete third-party post-processor::

    class Delay(PostProcessor):
        '''Silence before the audio begins.'''

        NAME = "delay"

        class Options(PluginOptions):
            seconds: float = Field(0.5, ge=0, le=60, description="How long.")

        options: Options

        def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
            samples = round(self.options.seconds * context.sample_rate)
            return np.pad(audio, ((0, 0), (samples, 0)))

    @hookimpl
    def audiogen_post_processors(register):
        register("delay", Delay)

``output.post_processing`` lists the post-processors of a run, in the order in which they run. They
are called from any thread, one output after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from audiogen_core.arrays import FloatArray
from audiogen_core.options import NoOptions, PluginOptions


@dataclass(frozen=True)
class AudioContext:
    """What a post-processor knows of the output besides its audio.

    Attributes:
        sample_rate: In hertz.
        conditioning: The sample's values with the defaults filled in.
        note: Tells the user something about this output.
    """

    sample_rate: int
    conditioning: Mapping[str, Any]
    note: Callable[[str], None]

    @property
    def seconds_total(self) -> float | None:
        """How long the output should be; None where its sample does not say."""
        return self.conditioning.get("seconds_total")


class PostProcessor(ABC):
    """Changes audio.

    Attributes:
        NAME: What ``output.post_processing`` calls it.
        Options: What its entry there may hold besides ``name`` when it is an object.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    @abstractmethod
    def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
        """Processes one output. The same audio always gives the same result.

        Args:
            audio: Finite samples, which may lie outside [-1, 1], ``[channels, samples]``, at
                least one sample; silence as well. Not to be written into.
            context: What else is known.

        Returns:
            Finite samples, ``[channels, samples]``: as many channels, any number of samples from
            one. What lies outside [-1, 1] at the end of the chain is clipped.

        Raises:
            Exception: Anything that goes wrong; it costs this output alone.
        """
