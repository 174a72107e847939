"""The autoencoder's start: the best linear codec, in closed form.

With its residual units nearly silent and its activations nearly straight, an Oobleck network is a
cascade of strided convolutions. Each is set to a lapped orthogonal transform (Princen and Bradley
1986, "Analysis/synthesis filter bank design based on time domain aliasing cancellation"), rotated
by a principal component analysis wherever it has more outputs than the network has channels. The
decoder is the transpose. What is left to learn is what no linear codec can do.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_plugins.autoencoders.layers import NormedConv, SnakeBeta
from audiogen_plugins.autoencoders.oobleck import OobleckDecoder, OobleckEncoder

STRAIGHT = 3.0
"""The logarithm of a snake activation's beta: its wave starts with a twentieth of full height."""

SPARE = 0.1
"""How large the weights start that the codec has no use for, relative to a random network's."""

QUIET = -3.0
"""The bias of the latents' deviations before the softplus: the means start well above them."""


def lapped_transform(size: int) -> Tensor:
    """The basis of the modified discrete cosine transform, ``[size, 2 * size]``: orthonormal."""
    k = torch.arange(2 * size, dtype=torch.float64) + 0.5
    m = torch.arange(size, dtype=torch.float64)[:, None] + 0.5
    window = torch.sin(math.pi / (2 * size) * k)
    basis = math.sqrt(2 / size) * window * torch.cos(math.pi / size * (k + size / 2) * m)
    return basis.float()


@torch.no_grad()
def start_as_codec(encoder: OobleckEncoder, decoder: OobleckDecoder, audio: Tensor) -> None:
    """Sets the weights of two networks that mirror each other.

    Their weights must hold random numbers of the usual size.

    Args:
        encoder: From audio to means and deviations.
        decoder: From latents to audio.
        audio: Examples of what they will be trained on, ``[batch, 1, samples]``.
    """
    for network in (encoder, decoder):
        for module in network.modules():
            if isinstance(module, SnakeBeta):
                module.beta.fill_(STRAIGHT)
    down = [one for one in _outer(encoder) if one.stride > 1]
    up = [one for one in _outer(decoder) if one.stride > 1][::-1]
    first, last = _outer(encoder)[0], _outer(encoder)[-1]
    opening, closing = _outer(decoder)[0], _outer(decoder)[-1]

    one_tap = torch.ones(1, 1, 1)
    _set(first, _centred(one_tap, first))
    _set(closing, _centred(one_tap, closing))
    signals = audio
    for analysis, synthesis in zip(down, up, strict=True):
        weight, signals = _level(signals, analysis)
        _set(analysis, weight)
        _set(synthesis, weight)
    kept = min(signals.shape[1], opening_channels(opening))
    # Quiet components are brought up half way to the loud ones.
    level = signals[:, :kept].square().mean((0, 2)).clamp_min(1e-8) ** 0.25
    level = level * (signals[:, :kept].square().mean((0, 2)) / level**2).mean().sqrt()
    _set(last, _centred(torch.diag(1 / level)[:, :, None], last))
    _set(opening, _centred(torch.diag(level)[:, :, None], opening))
    if last.bias is not None:
        last.bias[len(last.bias) // 2 :] = QUIET


def opening_channels(opening: NormedConv) -> int:
    """The number of latent channels."""
    return _direction(opening).shape[1]


def _outer(network: nn.Module) -> list[NormedConv]:
    """The convolutions outside the residual units, from the input to the output."""
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, NormedConv) and name.count(".layers.") < 2
    ]


def _level(signals: Tensor, conv: NormedConv) -> tuple[Tensor, Tensor]:
    """The weights of one strided convolution, and what it makes of the signals."""
    count, size, width = signals.shape[1], conv.stride, _direction(conv).shape[0]
    basis = lapped_transform(size)
    weight = torch.zeros(count, size, count, 2 * size)
    for channel in range(count):
        weight[channel, :, channel] = basis
    weight = weight.flatten(0, 1)
    padding = math.ceil(size / 2)
    out = functional.conv1d(signals, weight, stride=size, padding=padding)
    if len(weight) > width:
        rows = out.transpose(0, 1).flatten(1)
        _, vectors = torch.linalg.eigh(rows @ rows.T)
        rotation = vectors.flip(1)[:, :width].T
        weight = (rotation @ weight.flatten(1)).view(width, count, 2 * size)
        out = torch.einsum("oc,bct->bot", rotation, out)
    return weight, out


def _centred(weight: Tensor, conv: NormedConv) -> Tensor:
    """A weight of one tap in the middle of as many as the convolution has."""
    spare = _direction(conv).shape[2] // 2
    return functional.pad(weight, (spare, spare))


def _set(conv: NormedConv, weight: Tensor) -> None:
    """Puts a weight into the first channels; the others keep a little of what they were."""
    length, direction = conv.weight_g, _direction(conv)
    rows, columns, _ = weight.shape
    direction.mul_(SPARE)
    # What the codec carries is not disturbed by channels that it has no use for.
    direction[:rows, columns:].mul_(SPARE)
    (direction[rows:, :columns] if conv.transposed else direction[:rows, :columns]).mul_(SPARE)
    direction[:rows, :columns] = weight
    if length is not None:
        length.copy_(torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True))


def _direction(conv: NormedConv) -> Tensor:
    if conv.weight_v is None:
        raise RuntimeError("the convolution's weight norm is folded")
    return conv.weight_v
