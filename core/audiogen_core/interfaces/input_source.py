"""Input sources: they yield the samples of a run.

A complete third-party input source::

    class Lines(InputSource):
        '''One prompt for each line of standard input.'''

        NAME = "stdin"

        def samples(self) -> Iterator[Sample]:
            for number, line in enumerate(sys.stdin, start=1):
                yield Sample({"prompt": line.strip()}, f"standard input, line {number}")

    @hookimpl
    def audiogen_inputs(register):
        register("stdin", Lines)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import WithJsonSchema

from audiogen_core.options import PLACEHOLDER, NoOptions, PluginOptions

SampleValues = Annotated[dict[str, Any], WithJsonSchema({PLACEHOLDER: "sample"})]
"""An option that holds a sample's values, which editors then complete."""


@dataclass(frozen=True)
class Sample:
    """One sample: its conditioning values, and where they stand for messages.

    Attributes:
        values: Conditioning values by key; ``conditioning_defaults`` fill in the others. ``seed``,
            ``cfg_scale``, ``steps``, ``sampler_type`` and ``init_noise_level`` take the place of
            ``generation``'s.
        where: ``input.samples[3]`` or ``prompts.txt, line 12``.
        key_places: Where a key itself stands when that is not here, for the message that it is
            unknown: the same for all samples of a table, ``songs.csv, line 1, column 2: tempo``.
    """

    values: Mapping[str, Any]
    where: str
    key_places: Mapping[str, str] = field(default_factory=dict)


class InputSource(ABC):
    """Yields samples.

    Attributes:
        NAME: What ``input.type`` calls it.
        Options: The other keys of ``input``.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    @abstractmethod
    def samples(self) -> Iterator[Sample]:
        """Yields the samples in their order, lazily where the source is a file.

        Raises:
            InputError: The source cannot be read, or holds no sample; with file and line.
        """
