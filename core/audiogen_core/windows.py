"""Cuts audio that comes in blocks into windows of one length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from audiogen_core.arrays import FloatArray


def windows(blocks: Iterable[FloatArray], length: int, hop: int) -> Iterator[FloatArray]:
    """Windows that hold all of the audio, each beginning ``hop`` samples after the one before.

    Args:
        blocks: The audio, ``[channels, samples]``, in blocks of any lengths.
        length: Samples of a window.
        hop: At most ``length``.

    Yields:
        ``[channels, length]``; the last is as much shorter as the audio ends before it does.
    """
    pieces: list[FloatArray] = []
    held = new = 0  # samples in the pieces, and how many of them no window has held yet
    for block in blocks:
        pieces.append(block)
        held += block.shape[1]
        new += block.shape[1]
        if held < length:
            continue
        audio = np.concatenate(pieces, axis=1)
        while audio.shape[1] >= length:
            yield audio[:, :length]
            audio = audio[:, hop:]
            new = audio.shape[1] - (length - hop)
        pieces, held = [audio], audio.shape[1]
    if new > 0:
        yield np.concatenate(pieces, axis=1)
