"""What a worker of any executor does, wherever it runs: load the model once, and make batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch

from audiogen_core.arrays import FloatArray
from audiogen_core.batching import Batch
from audiogen_core.interfaces.observer import Observer
from audiogen_core.making import make_batch
from audiogen_core.memory import batch_limit
from audiogen_core.models.wanted import WantedModel
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Planned
from audiogen_core.settings import Settings

Part = tuple[Batch, int, "FloatArray | str"]
"""An output as `audiogen_core.making.make_batch` yields it."""


@dataclass(frozen=True)
class Assignment:
    """All that a worker has to know before its first batch; it can be pickled.

    Attributes:
        wanted: The model, where and how it is to compute.
        encodes: Whether recordings will be encoded.
    """

    wanted: WantedModel
    encodes: bool

    @classmethod
    def of(cls, planned: Planned) -> Self:
        """What the workers of a run have to know."""
        return cls(planned.request.wanted, planned.plan.encodes)

    def on(self, device: torch.device) -> Self:
        """The same on another device."""
        return replace(self, wanted=replace(self.wanted, device=device))


class Worker:
    """A loaded model.

    Args:
        assignment: Which one.

    Raises:
        AudiogenError: It cannot be had.
    """

    def __init__(self, assignment: Assignment) -> None:
        observer = Observer()
        self._model = assignment.wanted.build(installed_plugins(), observer)
        assignment.wanted.load(self._model, observer, encodes=assignment.encodes)

    def batch_limit(self, settings: Settings) -> int:
        """How many outputs with these settings it can sample together."""
        return batch_limit(self._model, settings)

    def make(self, batch: Batch) -> Iterator[Part]:
        """Makes the wanted outputs of a batch; what goes wrong costs only its own sample."""
        yield from make_batch(self._model, batch, Observer())
