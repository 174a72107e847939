"""One output of a run, as it was planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiogen_core.settings import Settings


@dataclass(frozen=True)
class Job:
    """One output.

    Attributes:
        index: Its position in the run, from 0.
        copy: Which output of the same sample it is, from 0.
        where: Where its sample stands.
        values: The sample's conditioning values with the defaults filled in.
        seed: Its own seed.
        stem: Its file name without ending, unique in the run; below the output folder, with
            ``output.shard_dirs`` in one of its subfolders.
        settings: How it is sampled.
        identity: What it is made from, in one word.
    """

    index: int
    copy: int
    where: str
    values: Mapping[str, Any]
    seed: int
    stem: str
    settings: Settings
    identity: str

    @property
    def negative_prompt(self) -> str | None:
        """The negative prompt; None for an empty one."""
        return self.values.get("negative_prompt") or None
