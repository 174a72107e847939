"""Naming strategies: they choose the name of each output, without its ending.

A complete third-party naming strategy::

    class BySeed(NamingStrategy):
        '''The seed alone.'''

        NAME = "by-seed"

        def stem(self, job: NamedJob) -> str:
            return f"seed-{job.seed}"

    @hookimpl
    def audiogen_naming(register):
        register("by-seed", BySeed)

A strategy need not care for safety or uniqueness: the core replaces what a file system would
refuse, shortens what is too long and numbers what would be the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from audiogen_core.options import NoOptions, PluginOptions


@dataclass(frozen=True)
class NamedJob:
    """What a name can be made from.

    Attributes:
        index: The output's position in the run, from 0.
        copy: Which of the outputs of the same prompt it is, from 0.
        conditioning: The sample's values with the defaults filled in.
        seed: The output's own seed.
        generation: The generation values in force for this output, written as the config or its
            sample wrote them (``cfg_scale``, ``steps``...), and all options of the sampler.
    """

    index: int
    copy: int
    conditioning: Mapping[str, Any]
    seed: int
    generation: Mapping[str, Any]


class NamingStrategy(ABC):
    """Names outputs.

    Attributes:
        NAME: What ``output.file_naming`` calls it.
        Options: What ``output.file_naming`` may hold besides ``name`` when it is an object.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    @abstractmethod
    def stem(self, job: NamedJob) -> str:
        """The file's name without its ending. The same job always gets the same name.

        Raises:
            InputError: The options do not fit the job; it ends the run before a model is loaded.
        """
