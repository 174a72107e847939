"""What a run has to know of the place where its outputs stand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

MAX_METADATA = 16 << 20
"""Bytes of a metadata file: a sample's texts, many times over. What is larger is not ours."""


class Storage(ABC):
    """The files of an output folder, by their names below it.

    Every method raises an ``OSError`` where the place cannot be asked.

    Attributes:
        COSTLY: Whether each file that is read takes long: what a run has written down of an output
            that it finished is believed then.
    """

    COSTLY: ClassVar[bool] = False

    @abstractmethod
    def names(self) -> Iterator[str]:
        """What stands there, from one listing."""

    @abstractmethod
    def stands(self, name: str) -> bool:
        """Whether a name is taken, also by what is no file: looked up anew."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """The bytes of what was listed or looked up; None for what is gone."""

    @abstractmethod
    def metadata(self, name: str) -> bytes | None:
        """The content of a metadata file; None for what is none, or larger than `MAX_METADATA`."""
