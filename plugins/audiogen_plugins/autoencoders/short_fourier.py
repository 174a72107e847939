"""Convolutions by short Fourier transforms: fewer multiplications, the same sum.

A piece of `PIECE` samples makes ``PIECE - taps + 1`` outputs (overlap-save). In its spectrum, the
convolution is one product of matrices for each frequency: with seven taps, 35 products of real
numbers make 18 outputs, where sums over the taps take 126. Transforms so short are matrix products
themselves, at which a CPU is fastest. The result rounds as float32 does, somewhat less than sums.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

PIECE = 24
"""Samples a transform; even."""

SPECTRA = 2**24
"""Bytes that the spectra of a group of pieces take: its products are fast, and memory is spared."""

FEWEST_TAPS, MOST_TAPS = 7, PIECE // 2
FEWEST_CHANNELS, MOST_CHANNELS = 128, 512
"""Between these it gains: with fewer channels, the transforms cost as much as they save; with more,
the weights, five times as large, cost more memory than the little time spent there is worth."""


def gains(weight: Tensor) -> bool:
    """Whether a CPU is faster at it with this weight, ``[out_channels, in_channels, taps]``."""
    wider, channels, taps = weight.shape
    sizes = range(FEWEST_CHANNELS, MOST_CHANNELS + 1)
    fits = FEWEST_TAPS <= taps <= MOST_TAPS and wider in sizes and channels in sizes
    return fits and weight.device.type == "cpu" and weight.dtype == torch.float32


class ShortFourierConv(nn.Module):
    """A convolution without its bias.

    Args:
        weight: ``[out_channels, in_channels, taps]``, float32.
        padding: Zeros on each side.
        dilation: Distance of the taps.
    """

    analysis: Tensor
    spectrum: Tensor
    synthesis: Tensor

    def __init__(self, weight: Tensor, padding: int, dilation: int) -> None:
        super().__init__()
        self.padding = padding
        self.dilation = dilation
        taps = weight.shape[2]
        analysis, spectrum, synthesis = _transforms()
        spectrum = torch.einsum("kt,oit->koi", spectrum[:, :taps], weight.double())
        self._keep("analysis", analysis)  # [products, PIECE]
        # A group of a convolution's for each product: [products * out_channels, in_channels, 1, 1].
        self._keep("spectrum", spectrum.flatten(0, 1)[:, :, None, None])
        self._keep("synthesis", synthesis[: PIECE - taps + 1])  # [outputs, products]

    def _keep(self, name: str, matrix: Tensor) -> None:
        self.register_buffer(name, matrix.float().contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolves.

        Args:
            x: ``[batch, in_channels, 1, length]``, the channels of a sample together in memory.

        Returns:
            ``[batch, out_channels, 1, new length]``, in the same layout.
        """
        (products, _), outputs, dilation = self.analysis.shape, len(self.synthesis), self.dilation
        batch, channels = x.shape[:2]
        reach = dilation * (PIECE - outputs)
        length = x.shape[3] + 2 * self.padding - reach
        # Every tap falls on samples of one phase: each phase of the dilation is a signal.
        pieces = -(-length // (outputs * dilation))
        missing = pieces * outputs * dilation + reach - x.shape[3] - self.padding
        signals = functional.pad(x[:, :, 0].mT, (0, 0, self.padding, missing)).contiguous()
        made = x.new_empty(batch, pieces, outputs, dilation, len(self.spectrum) // products)
        most = max(1, SPECTRA // (products * dilation * channels * x.element_size()))
        for signal, outcome in zip(signals, made, strict=True):
            for first in range(0, pieces, most):
                self._convolve(signal[first * outputs * dilation :], outcome[first : first + most])
        return made.flatten(1, 3)[:, :length].mT[:, :, None]

    def _convolve(self, signal: Tensor, made: Tensor) -> None:
        """Some pieces of a signal.

        Args:
            signal: ``[length, in_channels]``, from the first piece on.
            made: Where the results go, ``[pieces, outputs, dilation, out_channels]``.
        """
        pieces, outputs, dilation, wider = made.shape
        products, channels = len(self.analysis), signal.shape[1]
        step = dilation * channels
        spectra = signal.new_empty(dilation, pieces, products, channels)
        analysis = self.analysis.expand(pieces, -1, -1)
        for phase in range(dilation):
            overlapping = signal[phase:].as_strided(
                (pieces, PIECE, channels), (outputs * step, step, 1)
            )
            torch.bmm(analysis, overlapping, out=spectra[phase])
        # The products for each frequency: groups of an image's channels, which oneDNN is fast at.
        image = spectra.view(1, 1, dilation * pieces, -1).permute(0, 3, 1, 2)
        multiplied = functional.conv2d(image, self.spectrum, groups=products)
        multiplied = multiplied.permute(0, 2, 3, 1).reshape(dilation, pieces, products, wider)
        synthesis = self.synthesis.expand(pieces, -1, -1)
        for phase in range(dilation):
            made[:, :, phase] = synthesis @ multiplied[phase]


def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """The signal's transform, the weight's and the inverse, in products of real numbers.

    A complex product is three of them (Gauss): ``(a + bi)(c + di) = (p - r) + (p + q)i``, with
    ``p = (a + b)c``, ``q = a(d - c)`` and ``r = b(c + d)``. The weight slides over the signal
    without being turned round, and so its transform is conjugate.

    Returns:
        ``[products, PIECE]`` for the signal and for the weight, and ``[PIECE, products]``, float64.
    """
    time = torch.arange(PIECE, dtype=torch.float64)
    analysis, weight, synthesis = [], [], []
    for frequency in range(PIECE // 2 + 1):
        phase = 2 * math.pi * frequency / PIECE * time
        cosine, sine = phase.cos(), phase.sin()
        if frequency in (0, PIECE // 2):  # these are real
            analysis += [cosine]
            weight += [cosine]
            synthesis += [cosine]
        else:
            analysis += [cosine - sine, cosine, -sine]
            weight += [cosine, sine - cosine, cosine + sine]
            synthesis += [2 * (cosine - sine), -2 * sine, -2 * cosine]
    return torch.stack(analysis), torch.stack(weight), torch.stack(synthesis, 1) / PIECE
