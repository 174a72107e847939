"""Conditioners: they turn one conditioning value of each sample into embeddings.

A complete third-party conditioner::

    class Mood(Conditioner):
        '''A mood between -1 (sad) and 1 (glad), embedded by one linear layer.'''

        NAME = "mood"

        def __init__(self, output_dim: int) -> None:
            super().__init__()
            self.embed = nn.Linear(1, output_dim)

        @classmethod
        def build(cls, options: PluginOptions, context: BuildContext) -> Self:
            return cls(context.output_dim)

        @classmethod
        def check(cls, value: object, options: PluginOptions) -> None:
            if not isinstance(value, (int, float)) or not -1 <= value <= 1:
                raise ValueError(f"must be a number from -1 to 1, not {value!r}")

        def forward(self, values: Sequence[Any], generators) -> Embedding:
            moods = torch.tensor(values).to(self.embed.weight)
            embedded = self.embed(moods[:, None])[:, None]
            return Embedding(embedded, torch.ones(embedded.shape[:2], dtype=torch.bool))

    @hookimpl
    def audiogen_conditioners(register):
        register("mood", Mood)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from audiogen_core.downloads import Downloaded, unreported
from audiogen_core.options import NoOptions, PluginOptions


class Embedding(NamedTuple):
    """What a conditioner returns.

    Attributes:
        tokens: ``[batch, sequence, dim]``, or ``[batch, channels, latents]`` for conditioning
            that is joined to the model's input.
        mask: True where a token carries meaning, ``[batch, sequence]``.
    """

    tokens: Tensor
    mask: Tensor


@dataclass(frozen=True)
class BuildContext:
    """What the builder of a conditioner knows besides its options.

    Attributes:
        output_dim: Channels of its tokens: the model's ``cond_dim``, or its own ``output_dim``.
        folder: The folder of the model config, for relative paths; None for a Hub model.
        downloaded: To be told how downloads go, in `build` and in `prepare`.
    """

    output_dim: int
    folder: Path | None = None
    downloaded: Downloaded = unreported


class Conditioner(nn.Module, ABC):
    """Embeds one conditioning id of a model.

    Attributes:
        NAME: What ``model.conditioning.configs[].type`` calls it.
        Options: The keys of ``config`` beside it.
        FILES: Whether its values are paths of files: then their content decides what is made.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = NoOptions
    FILES: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def build(cls, options: Any, context: BuildContext) -> Self:
        """Makes the module from an instance of its ``Options``.

        Called under ``torch.device("meta")``: parameters hold no data yet.

        Raises:
            InputError: Something that the options name is not there.
            UnavailableError: It may be there, but cannot be had: the network failed, say.
        """

    @classmethod
    @abstractmethod
    def check(cls, value: Any, options: Any) -> None:
        """Checks a sample's value before any weights are loaded.

        Raises:
            ValueError: It cannot be embedded; the message says what is allowed.
        """

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        """Called once before the checkpoint is downloaded: the place to load what it lacks.

        Args:
            device: Where the model runs.
            dtype: The type of its weights.

        Raises:
            InputError: Something that the options name cannot be loaded.
            UnavailableError: It may be there, but cannot be had: the network failed, say.
        """

    def foresee(self, values: Sequence[Any]) -> None:
        """Called once with all values that a run will embed, where these are few.

        What can embed them in advance may let go of what no other value will need. Others may come
        all the same, when the model is used again.

        Args:
            values: Checked values, in any order; equal ones may recur.

        Raises:
            Exception: Anything; what is wrong with a value costs its own output, later.
        """

    def identity(self) -> dict[str, Any]:
        """What to write into the metadata, as JSON, so that what `prepare` loads is found again.

        It stands there as ``model.conditioners.<id>``: for a text encoder of the Hub, its name and
        the commit that was used. Nothing by default, as the checkpoint holds the rest.
        """
        return {}

    @abstractmethod
    def forward(self, values: Sequence[Any], generators: Sequence[torch.Generator]) -> Embedding:
        """Embeds one value for each sample of a batch.

        Args:
            values: One checked value a sample.
            generators: One a sample, for what is drawn at random; apart from the noise's.
        """
