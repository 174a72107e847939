"""Tags in M4A files, whichever program wrote them.

A file of the ISO base media format (ISO/IEC 14496-12) is a sequence of boxes: size, kind, content.
Tags are boxes in ``moov/udta/meta/ilst``. Writing the file again with FFmpeg would lose what other
programs say there about where the audio begins and ends. So the boxes themselves are edited, which
is possible where ``moov`` is the last one: nothing behind it moves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from audiogen_core.tags import SETTINGS_KEY, Tags

TIMESCALE = "movie_timescale"
"""FFmpeg's option for M4A: unless it is set to the sample rate, durations are in milliseconds."""

_TIMES = {b"mvhd", b"tkhd", b"mdhd"}
"""Boxes that begin with the times of creation and modification."""

_ITUNES_HANDLER = b"\0" * 8 + b"mdirappl" + b"\0" * 9
"""Says that tags follow as iTunes writes them, which is how everybody does."""


def tag(path: Path, tags: Tags) -> None:
    """Puts tags into a file in place of its own, and takes out the time of writing.

    The same audio then makes the same bytes. Tags that are not in `Tags` stay.

    Args:
        path: An M4A file whose last box is ``moov``.
        tags: Its tags.

    Raises:
        ValueError: It is no such file.
    """
    with path.open("r+b") as file:
        start = _find_moov(file)
        file.seek(start)
        content = _edited(file.read()[8:], [b"moov"], tags)
        file.seek(start)
        file.write(_box(b"moov", content))
        file.truncate()


def _find_moov(file: IO[bytes]) -> int:
    end = file.seek(0, 2)
    start = 0
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
        if kind == b"moov" and start + size == end:
            return start
        if size < 8:
            break
        start += size
    raise ValueError("it is no M4A file that ends with its 'moov' box")


def _edited(content: bytes, place: list[bytes], tags: Tags) -> bytes:
    """The content of the box at ``place`` with the times taken out and the tags put in."""
    children = {b"moov": b"udta", b"udta": b"meta", b"meta": b"ilst"}
    here = place[-1]
    if here in _TIMES:
        width = 16 if content[0] == 1 else 8
        return content[:4] + bytes(width) + content[4 + width :]
    if here == b"ilst":
        own = _items(tags)
        kept = [_box(kind, one) for kind, one in _boxes(content) if _key(kind, one) not in own]
        return b"".join([*kept, *own.values()])
    if place not in _CONTAINERS:
        return content
    head = content[:4] if here == b"meta" else b""  # its version and flags
    boxes = list(_boxes(content[len(head) :]))
    needed = children.get(here)
    if needed is not None and needed not in [kind for kind, _ in boxes]:
        empty = bytes(4) + _box(b"hdlr", _ITUNES_HANDLER) if needed == b"meta" else b""
        boxes.append((needed, empty))
    return head + b"".join(_box(kind, _edited(one, [*place, kind], tags)) for kind, one in boxes)


_CONTAINERS = (
    [b"moov"],
    [b"moov", b"trak"],
    [b"moov", b"trak", b"mdia"],
    [b"moov", b"udta"],
    [b"moov", b"udta", b"meta"],
)
"""The boxes whose content is looked into."""


def _items(tags: Tags) -> dict[bytes, bytes]:
    """The box of each tag, by its key."""
    texts = {b"\xa9nam": tags.title, b"\xa9cmt": tags.comment, b"\xa9too": tags.software}
    items = {kind: _box(kind, _data(text)) for kind, text in texts.items() if text}
    if tags.settings:
        key = SETTINGS_KEY.encode()
        names = _box(b"mean", bytes(4) + b"com.apple.iTunes") + _box(b"name", bytes(4) + key)
        items[key] = _box(b"----", names + _data(tags.settings))
    return items


def _key(kind: bytes, content: bytes) -> bytes:
    """What tells a tag from others: its kind, or the name that a free one carries."""
    if kind != b"----":
        return kind
    return dict(_boxes(content)).get(b"name", b"")[4:]


def _data(text: str) -> bytes:
    return _box(b"data", struct.pack(">II", 1, 0) + text.encode())  # type 1 is UTF-8


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 0
    while start < len(content):
        size, kind = struct.unpack_from(">I4s", content, start)
        if not 8 <= size <= len(content) - start:
            raise ValueError(f"its box {kind!r} has a wrong size")
        yield kind, content[start + 8 : start + size]
        start += size
