"""Numbers of bytes in words."""

from __future__ import annotations


def size(count: int) -> str:
    """Bytes in words: ``3.4 GB``."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
