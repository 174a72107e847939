"""Long signals through a network piece by piece, with the result of the whole."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def in_tiles(
    network: Callable[[Tensor], Tensor], x: Tensor, *, tile: int, reach: int, ratio: int
) -> Tensor:
    """Applies a network to tiles, each with its neighbourhood, of whose output nothing is kept.

    A tile sees every input that its outputs depend on, so the result is that of the whole, while
    the activations of one tile are all that memory has to hold.

    Args:
        network: From ``[..., length]`` to ``[..., length * ratio]``, or somewhat less at the end.
        x: ``[..., length]``.
        tile: Inputs a tile. Longer tiles take more memory, shorter ones compute more twice.
        reach: How many inputs to each side the outputs of one depend on.
        ratio: Outputs an input.
    """
    length = x.shape[-1]
    if length <= tile + 2 * reach:
        return network(x)
    parts = []
    for start in range(0, length, tile):
        end = min(start + tile, length)
        left, right = max(start - reach, 0), min(end + reach, length)
        part = network(x[..., left:right])
        parts.append(part[..., (start - left) * ratio : (end - left) * ratio])
    return torch.cat(parts, dim=-1)


def in_tiles_down(
    network: Callable[[Tensor], Tensor], x: Tensor, *, tile: int, reach: int, ratio: int
) -> Tensor:
    """The same for a network that makes signals shorter.

    Args:
        network: From ``[..., length * ratio]`` to ``[..., length]``.
        x: ``[..., length * ratio]``.
        tile: Outputs a tile.
        reach: How many outputs' worth of input to each side one output depends on.
        ratio: Inputs an output.
    """
    length = x.shape[-1] // ratio
    if length <= tile + 2 * reach:
        return network(x)
    parts = []
    for start in range(0, length, tile):
        end = min(start + tile, length)
        left, right = max(start - reach, 0), min(end + reach, length)
        part = network(x[..., left * ratio : right * ratio])
        parts.append(part[..., start - left : end - left])
    return torch.cat(parts, dim=-1)
