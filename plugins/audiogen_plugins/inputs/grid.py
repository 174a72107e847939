"""``grid``: every combination of lists of values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import PluginOptions, json_path, shown

MAX_KEYS = 32
"""More than a sample can have."""

MAX_COMBINATIONS = 100_000
"""A few keys more, and there were billions."""


class Grid(InputSource):
    """Every combination of the values of several keys; the last key changes fastest."""

    NAME = "grid"

    class Options(PluginOptions):
        """The keys of ``input`` for ``"type": "grid"``."""

        values: dict[str, list[Any]] = Field(
            min_length=1,
            max_length=MAX_KEYS,
            description="A list of values for each key of a sample.",
            examples=[{"prompt": ["rain", "wind"], "seconds_total": [10, 30]}],
        )

        @field_validator("values")
        @classmethod
        def _lists_of_different_values(cls, values: dict[str, list[Any]]) -> dict[str, list[Any]]:
            for key, choices in values.items():
                if not choices:
                    raise ValueError(f"'{key}' must have at least 1 value")
                seen = set()
                for choice in choices:
                    if (text := json.dumps(choice, sort_keys=True)) in seen:
                        raise ValueError(f"'{key}' has {shown(choice)} twice")
                    seen.add(text)
            if (count := math.prod(map(len, values.values()))) > MAX_COMBINATIONS:
                raise ValueError(f"has {count} combinations, more than {MAX_COMBINATIONS:,}")
            return values

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Two prompts with two lengths each."""
        return {"options": {"values": {"prompt": ["rain", "wind"], "seconds_total": [1, 2]}}}

    def samples(self) -> Iterator[Sample]:
        """Yields the combinations, as nested loops in the order of the keys would."""
        keys = list(self.options.values)
        places = {key: json_path("input.values", [key]) for key in keys}
        for choices in product(*(enumerate(one) for one in self.options.values.values())):
            chosen = [f"{key}[{index}]" for key, (index, _) in zip(keys, choices, strict=True)]
            values = {key: value for key, (_, value) in zip(keys, choices, strict=True)}
            yield Sample(values, f"input.values ({', '.join(chosen)})", places)
