"""A stack of pre-norm transformer blocks over a sequence of continuous vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_plugins.backbones.attention import (
    Attention,
    Context,
    RotaryEmbedding,
    Rotation,
    Tokens,
)


class Transpose(nn.Module):
    """Swaps the last two dimensions, for convolutions along the sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, length, dim]`` to ``[batch, dim, length]`` or back."""
        return x.transpose(1, 2)


class GLU(nn.Module):
    """A gated linear unit with SiLU, "SwiGLU" (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim_in, dim_out * 2)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., dim_in]`` to ``[..., dim_out]``."""
        values, gate = torch.chunk(self.proj(x), 2, dim=-1)
        return values * functional.silu(gate)


class FeedForward(nn.Module):
    """The position-wise network of a block.

    Args:
        dim: Channels in and out.
        mult: Inner channels as a multiple of ``dim``.
        no_bias: Leaves out the biases, but for the gated layer's.
        glu: A gated layer first; otherwise a plain one with SiLU.
        use_conv: Convolutions along the sequence instead of linear layers, but for the gated one.
        conv_kernel_size: Their size, odd.
    """

    def __init__(
        self,
        dim: int,
        *,
        mult: float = 4,
        no_bias: bool = False,
        glu: bool = True,
        use_conv: bool = False,
        conv_kernel_size: int = 3,
    ) -> None:
        super().__init__()
        inner = int(dim * mult)

        def layer(dim_in: int, dim_out: int) -> nn.Module:
            if not use_conv:
                return nn.Linear(dim_in, dim_out, bias=not no_bias)
            padding = conv_kernel_size // 2
            return nn.Conv1d(dim_in, dim_out, conv_kernel_size, padding=padding, bias=not no_bias)

        def turn() -> nn.Module:
            return Transpose() if use_conv else nn.Identity()

        first: nn.Module = GLU(dim, inner)
        if not glu:
            first = nn.Sequential(turn(), layer(dim, inner), turn(), nn.SiLU())
        self.ff = nn.Sequential(first, turn(), layer(inner, dim), turn())

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, length, dim]`` to ``[batch, length, dim]``."""
        out: Tensor = self.ff(x)
        return out


class Conformer(nn.Module):
    """The convolution module of a Conformer block (Gulati et al. 2020, arXiv 2005.08100).

    Args:
        dim: Channels.
        in_norm: The norm before the convolutions.
        mid_norm: The norm after the depthwise one, where the paper has a batch norm.
    """

    def __init__(self, dim: int, *, in_norm: nn.Module, mid_norm: nn.Module) -> None:
        super().__init__()
        self.in_norm = in_norm
        self.pointwise_conv = nn.Conv1d(dim, dim, 1, bias=False)
        self.glu = GLU(dim, dim)
        self.depthwise_conv = nn.Conv1d(dim, dim, 17, groups=dim, padding=8, bias=False)
        self.mid_norm = mid_norm
        self.pointwise_conv_2 = nn.Conv1d(dim, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, length, dim]`` to ``[batch, length, dim]``."""
        x = self.pointwise_conv(self.in_norm(x).transpose(1, 2)).transpose(1, 2)
        x = self.depthwise_conv(self.glu(x).transpose(1, 2)).transpose(1, 2)
        x = functional.silu(self.mid_norm(x))
        out: Tensor = self.pointwise_conv_2(x.transpose(1, 2)).transpose(1, 2)
        return out


class SinusoidalEmbedding(nn.Module):
    """The sine and cosine of each position (Vaswani et al. 2017), times one learned scale."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.scale = nn.Parameter(torch.full((1,), dim**-0.5))

    def forward(self, length: int) -> Tensor:
        """``[length, dim]``."""
        device, half = self.scale.device, self.dim // 2
        frequencies = 10000 ** -(torch.arange(half, device=device).float() / half)
        angles = torch.arange(length, device=device).float()[:, None] * frequencies
        return torch.cat((angles.sin(), angles.cos()), dim=-1).to(self.scale.dtype) * self.scale


class AbsoluteEmbedding(nn.Module):
    """One learned vector for each position up to a longest length."""

    def __init__(self, dim: int, max_length: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(max_length, dim)

    def forward(self, length: int) -> Tensor:
        """``[length, dim]``."""
        table: Tensor = self.emb.weight
        return table[:length] * (1 / math.sqrt(table.shape[1]))

    def check(self, length: int) -> None:
        """Checks that there are so many positions.

        Raises:
            ValueError: There are not.
        """
        if length > self.emb.num_embeddings:
            raise ValueError(
                f"the sequence has {length} positions; this model's absolute positional"
                f" embedding ends at {self.emb.num_embeddings}"
            )


class Block(nn.Module):
    """Self-attention, cross-attention, convolutions and a feed-forward network, each residual.

    Modulated by a global embedding in the manner of adaLN (Peebles and Xie 2022, "DiT", arXiv
    2212.09748): scale, shift and gate for the self-attention and for the feed-forward network,
    being the sum of what the whole stack shares and what this block learned. The gate is
    ``sigmoid(1 - gate)``.

    Args:
        dim: Channels.
        norm: Makes one norm over ``dim`` channels.
        scale: Makes the scale of one residual branch.
        self_attn: Attention within the sequence.
        cross_attn: Attention to the conditioning tokens.
        ff: The feed-forward network.
        conformer: Convolutions between the attention and the feed-forward network.
        modulated: Whether the block has parameters for adaLN.
    """

    def __init__(
        self,
        dim: int,
        *,
        norm: Callable[[], nn.Module],
        scale: Callable[[], nn.Module],
        self_attn: nn.Module,
        ff: nn.Module,
        cross_attn: Attention | None = None,
        conformer: nn.Module | None = None,
        modulated: bool = False,
    ) -> None:
        super().__init__()
        self.pre_norm = norm()
        self.self_attn = self_attn
        self.self_attn_scale = scale()
        self.cross_attn = cross_attn
        if cross_attn is not None:
            self.cross_attend_norm = norm()
            self.cross_attn_scale = scale()
        self.conformer = conformer
        if conformer is not None:
            self.conformer_scale = scale()
        self.ff_norm = norm()
        self.ff = ff
        self.ff_scale = scale()
        self.modulated = modulated
        if modulated:
            self.to_scale_shift_gate = nn.Parameter(torch.zeros(6 * dim))

    def forward(
        self,
        x: Tensor,
        *,
        context: Context | None = None,
        modulation: Tensor | None = None,
        rotation: Rotation | None = None,
    ) -> Tensor:
        """Applies the block.

        Args:
            x: ``[batch, length, dim]``.
            context: What the first rows of the batch attend to; the others attend to nothing.
            modulation: What all blocks share of scales, shifts and gates, ``[batch, 6 * dim]``.
            rotation: For the self-attention.

        Returns:
            ``[batch, length, dim]``.
        """
        attention_terms = feedforward_terms = None
        if self.modulated and modulation is not None:
            terms = (self.to_scale_shift_gate + modulation)[:, None].chunk(6, dim=-1)
            attention_terms, feedforward_terms = terms[:3], terms[3:]

        h = self.self_attn(_scale_shift(self.pre_norm(x), attention_terms), rotation=rotation)
        x = x + self.self_attn_scale(_gate(h, attention_terms))
        if self.cross_attn is not None and context is not None:
            rows = len(context.values)
            attending = x[:rows]
            h = self.cross_attn(self.cross_attend_norm(attending), context=context)
            attending = attending + self.cross_attn_scale(h)
            x = attending if rows == len(x) else torch.cat((attending, x[rows:]))
        if self.conformer is not None:
            x = x + self.conformer_scale(self.conformer(x))
        h = self.ff(_scale_shift(self.ff_norm(x), feedforward_terms))
        branch: Tensor = self.ff_scale(_gate(h, feedforward_terms))
        return x + branch


def _scale_shift(x: Tensor, terms: Sequence[Tensor] | None) -> Tensor:
    return x if terms is None else x * (1 + terms[0]) + terms[1]


def _gate(x: Tensor, terms: Sequence[Tensor] | None) -> Tensor:
    return x if terms is None else x * torch.sigmoid(1 - terms[2])


class Transformer(nn.Module):
    """Projects vectors in, runs the blocks over them, and projects them out.

    Args:
        dim: Channels of the blocks.
        dim_in: Channels of the input.
        dim_out: Channels of the output.
        layers: The blocks.
        rotary: Turns queries and keys by their position.
        positions: Makes ``[length, dim]`` to be added to the sequence.
        memory_tokens: How many learned tokens stand before the sequence.
        modulated: Whether a global embedding ``[batch, dim]`` modulates the blocks (adaLN).
    """

    def __init__(
        self,
        dim: int,
        *,
        dim_in: int,
        dim_out: int,
        layers: Sequence[Block],
        rotary: RotaryEmbedding | None = None,
        positions: nn.Module | None = None,
        memory_tokens: int = 0,
        modulated: bool = False,
    ) -> None:
        super().__init__()
        self.project_in = nn.Linear(dim_in, dim, bias=False)
        self.project_out = nn.Linear(dim, dim_out, bias=False)
        self.layers = nn.ModuleList(layers)
        self.rotary_pos_emb = rotary
        self.pos_emb = positions
        self.memory_tokens = (
            nn.Parameter(torch.zeros(memory_tokens, dim)) if memory_tokens else None
        )
        self.global_cond_embedder = (
            nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim * 6))
            if modulated
            else None
        )

    def check(self, length: int) -> None:
        """Checks that sequences may be so long, without memory tokens.

        Raises:
            ValueError: They may not.
        """
        if isinstance(self.pos_emb, AbsoluteEmbedding):
            self.pos_emb.check(
                length + (0 if self.memory_tokens is None else len(self.memory_tokens))
            )

    def contexts(self, tokens: Tokens) -> tuple[Context | None, ...]:
        """What each block attends to; None for those that do not."""
        return tuple(
            None if one.cross_attn is None else one.cross_attn.project(tokens)
            for one in self.layers
            if isinstance(one, Block)
        )

    def forward(
        self,
        x: Tensor,
        *,
        prepend: Tensor | None = None,
        contexts: Sequence[Context | None] = (),
        global_embedding: Tensor | None = None,
    ) -> Tensor:
        """Runs the stack.

        Args:
            x: ``[batch, length, dim_in]``.
            prepend: Tokens before the sequence, ``[batch, tokens, dim]``.
            contexts: What each block attends to; empty where there is nothing.
            global_embedding: ``[batch, dim]``, for modulated blocks.

        Returns:
            ``[batch, length, dim_out]``: without the prepended tokens.
        """
        length = x.shape[1]
        x = self.project_in(x)
        if prepend is not None:
            x = torch.cat((prepend, x), dim=1)
        if self.memory_tokens is not None:
            x = torch.cat((self.memory_tokens.expand(x.shape[0], -1, -1), x), dim=1)
        if self.pos_emb is not None:
            x = x + self.pos_emb(x.shape[1])
        rotation = None if self.rotary_pos_emb is None else self.rotary_pos_emb(x.shape[1])
        modulation = None
        if self.global_cond_embedder is not None and global_embedding is not None:
            modulation = self.global_cond_embedder(global_embedding)
        for layer, context in zip(self.layers, contexts or [None] * len(self.layers), strict=True):
            x = layer(x, context=context, modulation=modulation, rotation=rotation)
        out: Tensor = self.project_out(x[:, -length:])
        return out
