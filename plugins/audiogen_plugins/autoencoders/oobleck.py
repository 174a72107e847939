"""Oobleck, the convolutional autoencoder of Stable Audio.

Described by Evans et al. 2024, "Fast timing-conditioned latent audio diffusion" (arXiv
2402.04825); its blocks are those of the Descript Audio Codec (Kumar et al. 2023, arXiv
2306.06546).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from audiogen_core.interfaces.autoencoder import AudioDecoder, AudioEncoder, Autoencoder
from audiogen_core.models.limits import MAX_WIDTH, Width
from audiogen_core.options import PluginOptions
from audiogen_core.tiles import in_tiles, in_tiles_down
from audiogen_plugins.autoencoders.layers import (
    NormedConv,
    SnakeBeta,
    fold_weight_norm,
    laid_out,
)

DILATIONS = (1, 3, 9)
MAX_BLOCKS = 16
"""Were each to halve the length only, these would make one latent of a second and more."""

EDGE_KERNEL = 7
"""Taps of the residual units, of the first convolution and of the decoder's last."""

LATE_BLOCKS = 3
"""The decoder's last blocks, whose activations are by far the largest."""

CACHE, GPU_PIECE = 2**23, 2**30
"""How many bytes the largest activation of the late blocks may take, on a CPU and elsewhere."""

TILE = 1024
"""Latents decoded at a time: the early blocks take half a megabyte for each."""

ENCODED = 128
"""Latents encoded at a time: the first block takes some megabytes for each."""


class _SharedOptions(PluginOptions):
    channels: Width = 128
    c_mults: list[Width] = Field(default=[1, 2, 4, 8], min_length=1, max_length=MAX_BLOCKS)
    strides: list[Width] = Field(default=[2, 4, 8, 8], min_length=1, max_length=MAX_BLOCKS)
    latent_dim: Width = 32
    use_snake: bool = False
    antialias_activation: bool = False

    @field_validator("antialias_activation")
    @classmethod
    def _not_supported(cls, value: bool) -> bool:
        if value:
            raise ValueError("is not supported when true")
        return value

    @model_validator(mode="after")
    def _one_stride_a_block(self) -> Self:
        if len(self.c_mults) != len(self.strides):
            raise ValueError(
                f"c_mults ({len(self.c_mults)}) and strides ({len(self.strides)}) must be of equal"
                " length: one of each a block"
            )
        if max(self.widths) > MAX_WIDTH:
            raise ValueError(
                f"channels times the largest of c_mults must be at most {MAX_WIDTH}, not"
                f" {max(self.widths)}"
            )
        return self

    @property
    def widths(self) -> list[int]:
        """The channels at each resolution, from the audio's to the latents'."""
        return [self.channels, *(self.channels * mult for mult in self.c_mults)]


class OobleckEncoderOptions(_SharedOptions):
    """The keys of the encoder's ``config``."""

    in_channels: Width = 2


class OobleckDecoderOptions(_SharedOptions):
    """The keys of the decoder's ``config``."""

    out_channels: Width = 2
    use_nearest_upsample: bool = False
    final_tanh: bool = True


class Oobleck(Autoencoder):
    """Stable Audio's: strided convolutions down to latents, and transposed ones up again."""

    NAME = "oobleck"
    EncoderOptions = OobleckEncoderOptions
    DecoderOptions = OobleckDecoderOptions

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Small networks that fit each other."""
        options = {"channels": 4, "c_mults": [1, 2], "strides": [2, 4], "latent_dim": 3}
        return {"encoder": options, "decoder": options, "latent_channels": 3}

    @classmethod
    def build_encoder(cls, options: OobleckEncoderOptions) -> OobleckEncoder:
        """Makes the network from audio to what the bottleneck takes, without weights."""
        return OobleckEncoder(
            in_channels=options.in_channels,
            latent_dim=options.latent_dim,
            widths=options.widths,
            strides=options.strides,
            snake=options.use_snake,
        )

    @classmethod
    def build_decoder(cls, options: OobleckDecoderOptions) -> OobleckDecoder:
        """Makes the network from latents to audio, without weights."""
        return OobleckDecoder(
            out_channels=options.out_channels,
            latent_dim=options.latent_dim,
            widths=options.widths,
            strides=options.strides,
            snake=options.use_snake,
            nearest=options.use_nearest_upsample,
            final_tanh=options.final_tanh,
        )


class OobleckEncoder(AudioEncoder):
    """From audio to what the bottleneck takes.

    Args:
        in_channels: Audio channels.
        latent_dim: Channels of the output.
        widths: Channels at each resolution, from the audio's to the latents'.
        strides: The downsampling factors between them.
        snake: Snake activations; otherwise ELU.
    """

    ratio: int

    def __init__(
        self,
        *,
        in_channels: int,
        latent_dim: int,
        widths: Sequence[int],
        strides: Sequence[int],
        snake: bool,
    ) -> None:
        super().__init__()
        self.ratio = math.prod(strides)
        self.reach = encoder_reach(strides)
        sizes = zip(widths[:-1], widths[1:], strides, strict=True)
        self.layers = nn.Sequential(
            _same(in_channels, widths[0], EDGE_KERNEL),
            *(DownBlock(width, wider, stride, snake=snake) for width, wider, stride in sizes),
            _activation(widths[-1], snake=snake),
            _same(widths[-1], latent_dim, 3),
        )

    def forward(self, audio: Tensor) -> Tensor:
        """``[batch, in_channels, samples]`` to ``[batch, latent_dim, samples / ratio]``."""
        x = laid_out(audio)
        if torch.is_grad_enabled() or audio.shape[-1] % self.ratio:
            out: Tensor = self.layers(x)
        else:
            out = in_tiles_down(self.layers, x, tile=ENCODED, reach=self.reach, ratio=self.ratio)
        return out[:, :, 0].contiguous()

    def prepare(self) -> None:
        """Folds the weight norms."""
        fold_weight_norm(self)


def encoder_reach(strides: Sequence[int]) -> int:
    """How many latents' worth of samples to each side one latent depends on.

    Args:
        strides: The downsampling factors, from the audio's end to the latents'.
    """
    first, last = -1, 1  # of the last convolution, which has three taps
    for stride in reversed(strides):
        residual = EDGE_KERNEL // 2 * sum(DILATIONS)
        cut = math.ceil(stride / 2)
        first = first * stride - cut - residual
        last = last * stride - cut + 2 * stride - 1 + residual
    edge, ratio = EDGE_KERNEL // 2, math.prod(strides)
    return max(math.ceil((edge - first) / ratio), math.ceil((last + edge - ratio + 1) / ratio))


class OobleckDecoder(AudioDecoder):
    """From latents to audio.

    The late blocks go over their input in pieces, for which the neighbourhood that they see costs
    next to nothing: a hundredth of what it costs in latents.

    An odd stride makes its block's output one sample shorter, as it did in training: the end of
    the audio is missing by so much.

    Args:
        out_channels: Audio channels.
        latent_dim: Channels of the latents.
        widths: Channels at each resolution, from the audio's to the latents'.
        strides: The upsampling factors between them.
        snake: Snake activations; otherwise ELU.
        nearest: Upsamples by repetition and a convolution instead of a transposed convolution.
        final_tanh: Limits the audio to (-1, 1).
    """

    def __init__(
        self,
        *,
        out_channels: int,
        latent_dim: int,
        widths: Sequence[int],
        strides: Sequence[int],
        snake: bool,
        nearest: bool = False,
        final_tanh: bool = True,
    ) -> None:
        super().__init__()
        self.ratio = math.prod(strides)
        self.reach = decoder_reach(strides, nearest=nearest)
        self.tile = TILE
        late = strides[:LATE_BLOCKS]
        self._early = 1 + len(strides) - len(late)
        self._late_ratio = math.prod(late)
        self._late_reach = _reach(late, nearest=nearest)
        self._width = widths[0]
        sizes = list(zip(widths[1:], widths[:-1], strides, strict=True))
        self.layers = nn.Sequential(
            _same(latent_dim, widths[-1], EDGE_KERNEL),
            *(
                UpBlock(width, narrower, stride, snake=snake, nearest=nearest)
                for width, narrower, stride in reversed(sizes)
            ),
            _activation(widths[0], snake=snake),
            _same(widths[0], out_channels, EDGE_KERNEL, bias=False),
            nn.Tanh() if final_tanh else nn.Identity(),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """``[batch, latent_dim, latents]`` to ``[batch, out_channels, latents * ratio]``."""
        x: Tensor = self.layers[: self._early](laid_out(latents))
        size = self._width * self._late_ratio * x.shape[0] * x.element_size()
        piece = max(1, (CACHE if x.device.type == "cpu" else GPU_PIECE) // size)
        out = in_tiles(
            self.layers[self._early :],
            x,
            tile=piece,
            reach=self._late_reach,
            ratio=self._late_ratio,
        )
        return out[:, :, 0].contiguous()

    def prepare(self) -> None:
        """Folds the weight norms."""
        fold_weight_norm(self)


def decoder_reach(strides: Sequence[int], *, nearest: bool = False) -> int:
    """How many latents to each side the samples of one latent depend on.

    Args:
        strides: The upsampling factors, from the audio's end to the latents'.
        nearest: Whether the decoder upsamples by repetition.
    """
    return _reach(strides, nearest=nearest) + EDGE_KERNEL // 2


def _reach(strides: Sequence[int], *, nearest: bool) -> int:
    """How many samples to each side the blocks of these strides, and what follows, depend on.

    The interval of audio that one sample of their input becomes is followed backwards; each layer
    widens it to all that it reads.
    """
    edge = EDGE_KERNEL // 2
    first, last = -edge, math.prod(strides) - 1 + edge
    for stride in strides:
        residual = edge * sum(DILATIONS)
        first, last = first - residual, last + residual
        if nearest:
            first, last = (first - (stride - 1)) // stride, (last + stride) // stride
        else:
            cut = math.ceil(stride / 2)
            first, last = -((2 * stride - 1 - first - cut) // stride), (last + cut) // stride
    return max(-first, last)


class ResidualUnit(nn.Module):
    """A dilated and a pointwise convolution beside a skip connection, of equal length."""

    def __init__(self, channels: int, dilation: int, *, snake: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _activation(channels, snake=snake),
            _same(channels, channels, EDGE_KERNEL, dilation=dilation),
            _activation(channels, snake=snake),
            _same(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, 1, length]`` to the same shape."""
        branch: Tensor = self.layers(x)
        return branch.add_(x)


class DownBlock(nn.Module):
    """Three residual units, then a strided convolution."""

    def __init__(self, channels: int, out_channels: int, stride: int, *, snake: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(ResidualUnit(channels, dilation, snake=snake) for dilation in DILATIONS),
            _activation(channels, snake=snake),
            NormedConv(
                channels, out_channels, 2 * stride, stride=stride, padding=math.ceil(stride / 2)
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, 1, length]`` to ``[batch, out_channels, 1, length / stride]``."""
        out: Tensor = self.layers(x)
        return out


class UpBlock(nn.Module):
    """An upsampling convolution, then three residual units."""

    def __init__(
        self, channels: int, out_channels: int, stride: int, *, snake: bool, nearest: bool
    ) -> None:
        super().__init__()
        upsampling: nn.Module = NormedConv(
            channels,
            out_channels,
            2 * stride,
            stride=stride,
            padding=math.ceil(stride / 2),
            transposed=True,
        )
        if nearest:
            upsampling = nn.Sequential(
                nn.Upsample(scale_factor=(1, stride), mode="nearest"),
                NormedConv(channels, out_channels, 2 * stride, padding=stride, bias=False),
                DropFirst(),
            )
        self.layers = nn.Sequential(
            _activation(channels, snake=snake),
            upsampling,
            *(ResidualUnit(out_channels, dilation, snake=snake) for dilation in DILATIONS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, 1, length]`` to ``[batch, out_channels, 1, length * stride]``."""
        out: Tensor = self.layers(x)
        return out


class DropFirst(nn.Module):
    """Cuts the one sample that a kernel of even size, equally padded, is too long by."""

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, 1, length + 1]`` to ``[batch, channels, 1, length]``."""
        return x[..., 1:]


def _same(
    in_channels: int, out_channels: int, kernel_size: int, *, dilation: int = 1, bias: bool = True
) -> NormedConv:
    """A convolution that keeps the length; of odd size."""
    padding = dilation * (kernel_size // 2)
    return NormedConv(
        in_channels, out_channels, kernel_size, padding=padding, dilation=dilation, bias=bias
    )


def _activation(channels: int, *, snake: bool) -> nn.Module:
    return SnakeBeta(channels) if snake else nn.ELU()
