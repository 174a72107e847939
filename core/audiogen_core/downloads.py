"""How those are told who wait for a download."""

from __future__ import annotations

from collections.abc import Callable

Downloaded = Callable[[int, int | None], None]
"""Is told how many bytes of a file have arrived, and of how many; None where that is not known."""


def unreported(done: int, total: int | None) -> None:
    """Tells nobody how a download goes."""
