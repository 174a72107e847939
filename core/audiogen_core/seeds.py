"""The seed of each output: its sample's plus its copy's number, or drawn where that is -1.

What is drawn depends on the output folder's key and on what the sample holds, and on nothing else:
a run that goes on makes the same sounds, also when other samples have come or gone meanwhile.
"""

from __future__ import annotations

import hashlib

from audiogen_core.compact import Tally

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
        self._drawn = Tally()
        self._alike = Tally()

    def of(self, seed: int, copy: int, content: str) -> int:
        """The seed of an output.

        Args:
            seed: Its sample's.
            copy: Which output of its sample it is.
            content: The sample's conditioning, with the content of its files, and its own settings,
                as JSON. Of equal samples each draws another seed.
        """
        if seed != DRAW:
            return seed + copy
        digest = hashlib.sha256(content.encode()).digest()
        alike = int.from_bytes(digest[:8], "big") or 1
        while True:
            number = self._alike.count(alike)
            found = hashlib.sha256(f"{self._key} {number} ".encode() + digest).digest()
            drawn = int.from_bytes(found[:8], "big") % SEEDS
            if not self._drawn.count(drawn + 1):
                return drawn
