"""The autoencoder's start: the best linear codec in closed form, with ears for noise.

With its residual units nearly silent and its activations nearly straight, an Oobleck network is a
cascade of strided convolutions. Each is set to a lapped orthogonal transform (Princen and Bradley
1986, "Analysis/synthesis filter bank design based on time domain aliasing cancellation"), rotated
by a principal component analysis where it has more outputs than the network has channels. The
decoder is the transpose.

A linear codec of so few latents is deaf to noise at high frequencies, and its decoder would have to
learn to make it from nothing. So some latents carry it: of each band they keep a few projections,
which the decoder plays as loud as the whole band was. Others measure how loud each band is: a band
and its negative go through snake activations, whose waves squared add up to its power. What remains
to be learnt is what no such codec can do.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_plugins.autoencoders.layers import NormedConv, SnakeBeta
from audiogen_plugins.autoencoders.oobleck import OobleckDecoder, OobleckEncoder

STRAIGHT = 3.0
"""The logarithm of a snake activation's beta: its wave starts with a twentieth of full height."""

SPARE = 0.1
"""How large the weights start that the codec has no use for, relative to a random network's."""

BANDS = 12
"""How many of the first transform's bands are coded: what lies above is silent."""

GROUPS = ((1,), (2,), (3, 4), (5, 6), (7, 8), (9, 10, 11))
"""The bands that share a latent for their loudness; the lowest is coded as it is."""

GAINS = (4.0, 48.0)
"""Frequencies of the waves that measure loud sounds, and quiet ones."""

EARS = len(GAINS) * (BANDS - 1)
"""Channels that measure how loud the bands are."""

LOUDNESS = 3.0
"""What a full measure becomes in the latents."""

CARRIERS = 3
"""How many latents carry the noise of each group."""

CARRIED = 0.8
"""How loud it starts, relative to what it was: tones in these bands become noise, too."""

WAVE = 0.3
"""The frequency of the waves that let loudness open the way for noise.

With a third of it, which is straight up to the peaks, noise starts as loud as it should be; but the
decoder that came of it sounded less like what it coded, by the classifier.
"""

OPENS = math.pi / 2 / (2 * WAVE) / 1.5
"""What a loudness of half the full measure is multiplied by to open it all the way."""

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
    signals = inner = audio
    hears = len(_direction(down[0])) >= down[0].stride + 2 * EARS  # not where it is too narrow
    rooms = (0, EARS, EARS + CARRIERS * len(GROUPS)) if hears else (0, 0, 0)
    for number, (analysis, synthesis) in enumerate(zip(down, up, strict=True)):
        inner = signals
        weight, signals = _level(inner, analysis, room=rooms[number])
        signals = signals[:, :BANDS] if number == 0 and hears else signals
        _set(analysis, weight)
        _set(synthesis, weight)
    kept = opening_channels(opening)
    if hears:
        kept -= (len(GAINS) + CARRIERS) * len(GROUPS)
    # Quiet components are brought up half way to the loud ones.
    level = signals[:, :kept].square().mean((0, 2)).clamp_min(1e-8) ** 0.25
    level = level * (signals[:, :kept].square().mean((0, 2)) / level**2).mean().sqrt()
    _set(last, _centred(torch.diag(1 / level)[:, :, None], last))
    _set(opening, _centred(torch.diag(level)[:, :, None], opening))
    if hears:
        _listen(encoder, down, last, kept)
        _carry(inner, weight[:kept], (down[-1], last), decoder)
    if last.bias is not None:
        last.bias[len(last.bias) // 2 :] = QUIET


@torch.no_grad()
def _listen(
    encoder: OobleckEncoder, down: Sequence[NormedConv], last: NormedConv, kept: int
) -> None:
    """Makes latents of the loudness of bands, in what the codec leaves of the channels."""
    split, measure, follow = (_direction(one) for one in down)
    bands = split[1:BANDS].clone().repeat(len(GAINS), 1, 1)
    positive = slice(down[0].stride, down[0].stride + EARS)
    negative = slice(positive.stop, positive.stop + EARS)
    split[positive], split[negative] = bands, -bands
    waves = [one for one in encoder.modules() if isinstance(one, SnakeBeta)]
    squared = next(one for one in waves[::-1] if len(one.alpha) == len(split))
    for channels in (positive, negative):
        squared.alpha[channels] = torch.tensor(GAINS).log().repeat_interleave(BANDS - 1)
        squared.beta[channels] = 0.0
    own = torch.arange(EARS)
    for weight in (measure, follow):
        weight[-EARS:] = 0
    window = torch.hann_window(measure.shape[2], periodic=False)
    window = window / window.sum() / 2
    measure[own - EARS, own + positive.start] = window
    measure[own - EARS, own + negative.start] = window
    window = torch.hann_window(follow.shape[2], periodic=False)
    follow[own - EARS, own + len(measure) - EARS] = window / window.sum()
    middle = _direction(last)[:, :, 1]
    for number, (gain, group) in enumerate(itertools.product(range(len(GAINS)), GROUPS)):
        _direction(last)[kept + number] = 0
        for band in group:
            ear = gain * (BANDS - 1) + band - 1
            middle[kept + number, len(follow) - EARS + ear] = LOUDNESS / len(group)
    for conv in (*down, last):
        _renorm(conv)


@torch.no_grad()
def _carry(
    signals: Tensor, coded: Tensor, encoder: tuple[NormedConv, NormedConv], decoder: OobleckDecoder
) -> None:
    """Makes latents of what the codec leaves of the bands' noise, and noise of these latents.

    The decoder plays a carrier c only as far as the band's loudness e opens the way for it:
    sin^2(a (c + e)) - sin^2(a (c - e)) = sin(2 a c) sin(2 a e), and snake activations are such
    waves. So errors of the carriers are not heard where there is no noise.

    Args:
        signals: What comes into the last level, ``[batch, channels, samples]``.
        coded: The weight of what the codec keeps there, orthonormal.
        encoder: Its last two convolutions.
        decoder: The decoder.
    """
    split, last = encoder
    opening, join = _outer(decoder)[:2]
    wave = next(one for one in decoder.modules() if isinstance(one, SnakeBeta))
    count, size, kept = signals.shape[1], split.stride, len(coded)
    basis = _each_channel(lapped_transform(size), count)
    codes = functional.conv1d(signals, basis, stride=size, padding=math.ceil(size / 2))
    codes = codes.transpose(0, 1).flatten(1)
    coded = coded.flatten(1) @ basis.flatten(1).T
    rest = codes - coded.T @ (coded @ codes)
    bands = torch.arange(len(codes)) // (len(codes) // BANDS)
    generator = torch.Generator().manual_seed(0)
    carriers = len(GROUPS) * CARRIERS
    ears = kept + len(GROUPS) * (len(GAINS) - 1)  # the latents of quiet sounds' loudness
    middle = _direction(opening).shape[2] // 2
    for index, group in enumerate(GROUPS):
        inside = torch.isin(bands, torch.tensor(group))
        drawn = torch.randn(CARRIERS, len(codes), generator=generator) * inside
        drawn = torch.linalg.qr((drawn - drawn @ coded.T @ coded).T).Q.T
        carried = drawn @ codes
        louder = (rest[inside].square().sum() / carried.square().sum()).sqrt()
        loud = carried.abs().flatten().sort().values[-carried.numel() // 200] / 2.5
        weight = (drawn @ basis.flatten(1)).view(CARRIERS, count, 2 * size)
        own = index * CARRIERS + torch.arange(CARRIERS)
        channels = len(_direction(split)) - EARS - carriers + own
        _direction(split)[channels] = 0
        _direction(split)[channels, :count] = weight
        latents = _direction(opening).shape[1] - carriers + own
        _direction(last)[latents] = 0
        _direction(last)[latents, channels, _middle(last)] = float(1 / loud)

        plus, minus, ear = kept + own, kept + carriers + own, kept + 2 * carriers + index
        for rows, sign in ((plus, 1.0), (minus, -1.0)):
            _direction(opening)[rows] = 0
            _direction(opening)[rows, latents, middle] = 1
            _direction(opening)[rows, ears + index, middle] = sign * OPENS
            _direction(join)[rows] = 0
            _direction(join)[rows, :count] = (
                float(sign * CARRIED * louder * loud / (1.7 * WAVE)) * weight
            )
            wave.alpha[rows], wave.beta[rows] = math.log(WAVE), 0.0
        _direction(opening)[ear] = 0
        _direction(opening)[ear, ears + index, middle] = OPENS
        _direction(join)[ear] = -2 * _direction(join)[plus].sum(0)
        wave.beta[ear] = 10.0
    for conv in (split, last, opening, join):
        _renorm(conv)


def _middle(conv: NormedConv) -> int:
    """The tap that looks at the very place."""
    return _direction(conv).shape[2] // 2


@torch.no_grad()
def rescale_latents(encoder: OobleckEncoder, decoder: OobleckDecoder, scale: Tensor) -> None:
    """Divides each channel of the latents by its scale, and lets the decoder take that back.

    Args:
        encoder: To means and deviations of the latents.
        decoder: From latents.
        scale: ``[latent_dim]``.
    """
    last, opening = _outer(encoder)[-1], _outer(decoder)[0]
    if last.weight_g is None or last.bias is None:
        raise ValueError("the encoder's last convolution must have a weight norm and a bias")
    means = len(scale)
    last.weight_g[:means] /= scale[:, None, None]
    last.bias[:means] /= scale
    # Deviations pass a softplus, which of what is far below zero is the exponential.
    last.bias[means:] -= scale.log()
    direction = _direction(opening)
    if opening.weight_g is not None:
        norms = torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True)
        direction.mul_(opening.weight_g / norms)
    direction.mul_(scale[:, None])
    _renorm(opening)


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


def _level(signals: Tensor, conv: NormedConv, room: int) -> tuple[Tensor, Tensor]:
    """The weights of one strided convolution, and what it makes of the signals.

    Args:
        signals: What comes in, ``[batch, channels, samples]``.
        conv: The convolution.
        room: How many of its channels are needed for something else.
    """
    count, size, width = signals.shape[1], conv.stride, _direction(conv).shape[0]
    width = max(width - room, width // 2)
    weight = _each_channel(lapped_transform(size), count)
    padding = math.ceil(size / 2)
    out = functional.conv1d(signals, weight, stride=size, padding=padding)
    if len(weight) > width:
        rows = out.transpose(0, 1).flatten(1)
        _, vectors = torch.linalg.eigh(rows @ rows.T)
        rotation = vectors.flip(1)[:, :width].T
        weight = (rotation @ weight.flatten(1)).view(width, count, 2 * size)
        out = torch.einsum("oc,bct->bot", rotation, out)
    return weight, out


def _each_channel(basis: Tensor, count: int) -> Tensor:
    """The weight that applies a basis ``[size, width]`` to each of so many channels."""
    weight = torch.zeros(count, len(basis), count, basis.shape[1])
    for channel in range(count):
        weight[channel, :, channel] = basis
    return weight.flatten(0, 1)


def _centred(weight: Tensor, conv: NormedConv) -> Tensor:
    """A weight of one tap in the middle of as many as the convolution has."""
    spare = _direction(conv).shape[2] // 2
    return functional.pad(weight, (spare, spare))


def _set(conv: NormedConv, weight: Tensor) -> None:
    """Puts a weight into the first channels; the others keep a little of what they were."""
    direction = _direction(conv)
    rows, columns, _ = weight.shape
    direction.mul_(SPARE)
    # What the codec carries is not disturbed by channels that it has no use for.
    direction[:rows, columns:].mul_(SPARE)
    (direction[rows:, :columns] if conv.transposed else direction[:rows, :columns]).mul_(SPARE)
    direction[:rows, :columns] = weight
    _renorm(conv)


def _renorm(conv: NormedConv) -> None:
    """Lets the lengths be those of the directions."""
    if conv.weight_g is not None:
        norms = torch.linalg.vector_norm(_direction(conv), dim=(1, 2), keepdim=True)
        conv.weight_g.copy_(norms)


def _direction(conv: NormedConv) -> Tensor:
    if conv.weight_v is None:
        raise RuntimeError("the convolution's weight norm is folded")
    return conv.weight_v
