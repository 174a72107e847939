"""Layers of convolutional audio autoencoders: weight-normalised convolutions, snake activations.

Signals are ``[batch, channels, 1, length]``: images of one row. Only two-dimensional convolutions
know the memory layout in which the channels of a sample lie together: on a CPU, the fast one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_plugins.autoencoders.short_fourier import ShortFourierConv, gains


class NormedConv(nn.Module):
    """A 1-d convolution whose weight is a direction times a length.

    Weight normalisation (Salimans and Kingma 2016, arXiv 1602.07868): checkpoints hold the
    length of each slice of the weight's first dimension in ``weight_g`` and its direction in
    ``weight_v``. `fold` multiplies them out once.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Taps.
        stride: The downsampling factor, or the upsampling factor when transposed.
        padding: Zeros on each side of the input; cut from the output when transposed.
        dilation: Distance of the taps.
        bias: Whether a bias is added.
        transposed: Upsamples (a transposed convolution).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        rows, columns = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.in_phases = False
        self.fourier: ShortFourierConv | None = None
        self.weight: nn.Parameter | None = None
        self.weight_g: nn.Parameter | None = nn.Parameter(torch.ones(rows, 1, 1))
        self.weight_v: nn.Parameter | None = nn.Parameter(torch.ones(rows, columns, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def fold(self) -> None:
        """Replaces length and direction by their product, and frees them."""
        if self.weight is None and self.fourier is None:
            with torch.no_grad():
                weight = self._product()
            if not self.transposed and self.stride == 1 and gains(weight):
                self.fourier = ShortFourierConv(weight, self.padding, self.dilation)
            else:
                self.in_phases = self.transposed and weight.device.type == "cpu"
                weight = _phases(weight, self.stride) if self.in_phases else weight
                self.weight = nn.Parameter(laid_out(weight), requires_grad=False)
            self.weight_g = self.weight_v = None

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, in_channels, 1, length]`` to ``[batch, out_channels, 1, new length]``."""
        if self.fourier is not None:
            made: Tensor = self.fourier(x)
            return made if self.bias is None else made.add_(self.bias[:, None, None])
        weight = laid_out(self._product()) if self.weight is None else self.weight
        stride, padding, dilation = (1, self.stride), (0, self.padding), (1, self.dilation)
        if self.in_phases:
            return self._interleaved(x, weight)
        if self.transposed:
            return functional.conv_transpose2d(x, weight, self.bias, stride, padding)
        return functional.conv2d(x, weight, self.bias, stride, padding, dilation)

    def _interleaved(self, x: Tensor, weight: Tensor) -> Tensor:
        """The transposed convolution as a plain one that makes all phases of its output at once.

        Where the channels of a sample lie together, putting the phases one after the other is no
        work at all.
        """
        bias = None if self.bias is None else self.bias.repeat(self.stride)
        taps = weight.shape[3]
        phases = functional.conv2d(x, weight, bias, padding=(0, taps - 1)).permute(0, 2, 3, 1)
        samples = phases.reshape(x.shape[0], 1, phases.shape[2] * self.stride, -1)
        end = samples.shape[2] - self.padding
        return samples[:, :, self.padding : end].permute(0, 3, 1, 2)

    def _product(self) -> Tensor:
        length, direction = self.weight_g, self.weight_v
        if length is None or direction is None:
            raise RuntimeError("the convolution has no weights")
        wide = torch.promote_types(direction.dtype, torch.float32)
        norm: Tensor = torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True, dtype=wide)
        return (direction * (length / norm)).to(direction.dtype)


def _phases(weight: Tensor, stride: int) -> Tensor:
    """The weight of a plain convolution that makes what a transposed one does, phase by phase.

    Args:
        weight: ``[in_channels, out_channels, taps * stride]``.
        stride: The upsampling factor.

    Returns:
        ``[stride * out_channels, in_channels, taps]``: the latest input sample comes last.
    """
    rows, columns, size = weight.shape
    taps = size // stride
    # One plain transpose first: torch is three times as fast at it as at the whole in one copy.
    turned = weight.reshape(rows, -1).T.contiguous().view(columns, taps, stride, rows)
    phases = weight.new_empty(stride, columns, taps, rows)
    for tap in range(taps):
        phases[:, :, taps - 1 - tap] = turned[:, tap].transpose(0, 1)
    return phases.flatten(0, 1).mT


def laid_out(x: Tensor) -> Tensor:
    """``[rows, channels, length]`` as ``[rows, channels, 1, length]`` in the device's layout."""
    on_cpu = x.device.type == "cpu"
    layout = torch.channels_last if on_cpu else torch.contiguous_format
    return x[:, :, None].contiguous(memory_format=layout)


def fold_weight_norm(network: nn.Module) -> None:
    """Folds every `NormedConv`, one after the other, so that one weight at most exists twice."""
    for module in network.modules():
        if isinstance(module, NormedConv):
            module.fold()


class SnakeBeta(nn.Module):
    """A periodic activation, ``x + sin(alpha * x)^2 / beta`` (Ziyin et al. 2020, 2006.08195).

    With a frequency and a magnitude for each channel, as in BigVGAN (Lee et al. 2022,
    arXiv 2206.04658); both are stored as logarithms.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, 1, length]`` to the same shape."""
        alpha = self.alpha.exp()[:, None, None]
        scale = (self.beta.exp() + 1e-9).reciprocal()[:, None, None]
        # In place: at full sample rate, every copy that is kept is one as large as the audio
        # times the channels.
        waves: Tensor = (x * alpha).sin_().square_()
        waves.mul_(scale).add_(x)
        return waves
