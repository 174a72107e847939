"""The seed of each output: its sample's plus its copy's number, or drawn where that is -1.

What is drawn depends on the output folder's key and on what the sample holds, and on nothing else:
a run that goes on makes the same sounds, also when other samples have come or gone meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

DRAW = -1
"""The seed that asks for one to be drawn."""

SEEDS = 2**32 - 1
"""How many may be drawn: 0 and those that follow."""


class Seeds:
    """The seeds of a run's outputs, asked for in their order.

    Args:
        key: The output folder's.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._drawn: set[int] = set()
        self._alike: Counter[bytes] = Counter()

    def of(self, seed: int, copy: int, values: Mapping[str, Any]) -> int:
        """The seed of an output.

        Args:
            seed: Its sample's.
            copy: Which output of its sample it is.
            values: The sample's conditioning, with the content of its files. Of equal samples
                each draws another seed.
        """
        if seed != DRAW:
            return seed + copy
        content = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).digest()
        while True:
            number = self._alike[content]
            self._alike[content] += 1
            digest = hashlib.sha256(f"{self._key} {number} ".encode() + content).digest()
            drawn = int.from_bytes(digest[:8], "big") % SEEDS
            if drawn not in self._drawn:
                self._drawn.add(drawn)
                return drawn
