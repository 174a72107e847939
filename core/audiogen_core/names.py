"""File names that every system accepts and that no two outputs of a run share."""

from __future__ import annotations

import unicodedata

from audiogen_core.compact import Tally, hash64

MAX_STEM_BYTES = 235
"""What file systems allow (255 bytes) less an underscore, a number and an ending."""

_FORBIDDEN = str.maketrans(dict.fromkeys('\\/:*?"<>|', "-"))
_RESERVED = {
    "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
    *(f"COM{n}" for n in "0123456789¹²³"), *(f"LPT{n}" for n in "0123456789¹²³"),
}  # fmt: skip

_LONGEST_RESERVED = max(map(len, _RESERVED))


def replace_forbidden(text: str) -> str:
    r"""The text with each of ``\ / : * ? " < > |`` replaced by ``-``."""
    return text.translate(_FORBIDDEN)


def shorten(text: str, max_bytes: int) -> str:
    """The longest beginning of the text that takes at most ``max_bytes`` in UTF-8."""
    if len(text) <= max_bytes and text.isascii():
        return text
    data = text.encode("utf-8", "replace")
    return text if len(data) <= max_bytes else data[:max_bytes].decode("utf-8", "ignore")


def safe_stem(stem: str) -> str:
    """A name without ending that Linux, macOS and Windows accept, never empty or hidden."""
    stem = replace_forbidden(stem)
    if not stem.isprintable():  # Python's idea of it is stricter by some spaces
        stem = "".join("-" if _is_unprintable(char) else char for char in stem)
    if stem.startswith("."):
        stem = "_" + stem[1:]
    head = stem.partition(".")[0].strip()
    if len(head) <= _LONGEST_RESERVED and head.upper() in _RESERVED:
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
        self._taken = Tally()
        self._numbers = Tally()

    def claim(self, stem: str) -> str:
        """``stem`` made safe, with ``-2``, ``-3``... where it is taken already."""
        safe = safe_stem(stem)
        key = hash64(same_name(safe).encode("utf-8", "surrogatepass"))
        if not self._taken.count(key):
            return safe
        own = hash64(safe.encode("utf-8", "surrogatepass"))
        number = self._numbers[own] or 1
        while True:
            number += 1
            candidate = f"{safe}-{number}"
            key = hash64(same_name(candidate).encode("utf-8", "surrogatepass"))
            if not self._taken.count(key):
                self._numbers[own] = number
                return candidate


def shard_dir(stem: str, count: int) -> str:
    """The subfolder of an output, of so many: always the same for names that are alike."""
    number = hash64(same_name(stem).encode("utf-8", "surrogatepass")) % count
    return f"{number:0{len(f'{count - 1:x}')}x}"


def same_name(name: str) -> str:
    """Equal for names that differ in case or Unicode form only (Unicode 16, section 3.13, D145)."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
