"""File names that every system accepts and that no two outputs of a run share."""

from __future__ import annotations

import unicodedata

MAX_STEM_BYTES = 235
"""What file systems allow (255 bytes) less an underscore, a number and an ending."""

_FORBIDDEN = str.maketrans(dict.fromkeys('\\/:*?"<>|', "-"))
_RESERVED = {
    "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
    *(f"COM{n}" for n in "0123456789¹²³"), *(f"LPT{n}" for n in "0123456789¹²³"),
}  # fmt: skip


def replace_forbidden(text: str) -> str:
    r"""The text with each of ``\ / : * ? " < > |`` replaced by ``-``."""
    return text.translate(_FORBIDDEN)


def shorten(text: str, max_bytes: int) -> str:
    """The longest beginning of the text that takes at most ``max_bytes`` in UTF-8."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= max_bytes else data[:max_bytes].decode("utf-8", "ignore")


def safe_stem(stem: str) -> str:
    """A name without ending that Linux, macOS and Windows accept, never empty or hidden."""
    stem = "".join("-" if _is_unprintable(char) else char for char in replace_forbidden(stem))
    if stem.startswith("."):
        stem = "_" + stem[1:]
    if stem.split(".")[0].strip().upper() in _RESERVED:
        stem = f"_{stem}"
    stem = shorten(stem, MAX_STEM_BYTES + 1)
    return stem if stem.strip() else "_"


def _is_unprintable(char: str) -> bool:
    # Control, format (text direction marks), surrogate, private use, unassigned, separators
    # of lines and paragraphs.
    category = unicodedata.category(char)
    return category.startswith("C") or category in {"Zl", "Zp"}


class UniqueNames:
    """Hands out each name once, also where file systems ignore case or Unicode form."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def claim(self, stem: str) -> str:
        """``stem`` made safe, with ``-2``, ``-3``... where it is taken already."""
        safe = safe_stem(stem)
        candidate, number = safe, self._numbers.get(safe, 1)
        while (key := same_name(candidate)) in self._taken:
            number += 1
            candidate = f"{safe}-{number}"
        self._taken.add(key)
        self._numbers[safe] = number
        return candidate


def same_name(name: str) -> str:
    """Equal for names that differ in case or Unicode form only (Unicode 16, section 3.13, D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
