"""Multi-head attention with rotary positions, grouped keys and optional query-key norms."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_plugins.backbones.norms import DynamicTanh

QKNorm: TypeAlias = Literal["none", "ln", "l2", "dyt"]


class Rotation(NamedTuple):
    """By how much each position turns each pair of channels.

    Attributes:
        cos: ``[length, pairs]``, float32.
        sin: ``[length, pairs]``, float32.
    """

    cos: Tensor
    sin: Tensor


class Tokens(NamedTuple):
    """Conditioning tokens to attend to.

    Attributes:
        tokens: ``[rows, tokens, dim]``.
        weights: The logarithm of how often each stands there, ``[rows, 1, 1, tokens]``: minus
            infinity for none. None where each stands there once.
    """

    tokens: Tensor
    weights: Tensor | None


class Context(NamedTuple):
    """Conditioning tokens as one attention projects them.

    Attributes:
        keys: ``[rows, heads, tokens, head_dim]``, one for each attention map.
        values: ``[rows, heads, tokens, head_dim]``.
        weights: As in `Tokens`.
    """

    keys: tuple[Tensor, ...]
    values: Tensor
    weights: Tensor | None


class RotaryEmbedding(nn.Module):
    """Rotary position embedding (Su et al. 2021, arXiv 2104.09864).

    The angles are float32 whatever the weights' type: 16 bits cannot tell late positions apart.

    Args:
        dim: How many channels of a head are turned (one more if odd); the others keep their
            values.
    """

    inv_freq: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.register_buffer("inv_freq", torch.tensor(self._frequencies()))
        self._latest: tuple[object, Rotation] | None = None

    def forward(self, length: int) -> Rotation:
        """The rotation of positions 0 to ``length - 1``."""
        # One length a run: the latest is all that is worth keeping.
        key = (length, self.inv_freq.device, torch.is_inference_mode_enabled())
        if self._latest is None or self._latest[0] != key:
            self._latest = key, self._rotation(length)
        return self._latest[1]

    def _rotation(self, length: int) -> Rotation:
        stored = self.inv_freq
        exact = torch.tensor(self._frequencies(), device=stored.device)
        if not _is_rounded(stored, exact):
            exact = stored
        angles = torch.arange(length, device=stored.device).float()[:, None] * exact
        return Rotation(angles.cos(), angles.sin())

    def _frequencies(self) -> list[float]:
        # Not of tensors: a power on the meta device takes seconds, for what torch imports for it.
        return [10000 ** -(channel / self.dim) for channel in range(0, self.dim, 2)]


def _is_rounded(stored: Tensor, exact: Tensor) -> bool:
    """Whether numbers are the exact ones in 16 bits, be it in a wider type by now.

    A model cast to 16 bits, or from a checkpoint of 16 bits, has lost the frequencies' precision;
    their formula has not.
    """
    if stored.dtype != torch.float32 or stored.is_meta:
        return not stored.is_meta
    halves = [stored.to(one).to(stored.dtype) for one in (torch.float16, torch.bfloat16)]
    is_narrow = any(torch.equal(stored, one) for one in halves)
    return is_narrow and torch.allclose(stored, exact, rtol=2**-8, atol=0)


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turns the first channels of each head, ``[batch, heads, length, head_dim]``.

    Channel ``i`` is paired with channel ``i + pairs``.
    """
    cos, sin = rotation
    pairs = cos.shape[-1]
    a, b, rest = torch.split(x, [pairs, pairs, x.shape[-1] - 2 * pairs], dim=-1)
    turned = (a * cos - b * sin, b * cos + a * sin)  # in float32 for 16-bit inputs, too
    return torch.cat((turned[0].to(x.dtype), turned[1].to(x.dtype), rest), dim=-1)


class Attention(nn.Module):
    """Attention within a sequence, or from it to a context.

    Where the context is narrower than the sequence, it has fewer key and value heads of the
    same size, and each serves a group of query heads (Ainslie et al. 2023, arXiv 2305.13245).

    Args:
        dim: Channels of the sequence.
        head_dim: Channels of a head; divides ``dim``.
        context_dim: Channels of the context; None for self-attention.
        qk_norm: What queries and keys pass through: nothing, a layer norm over a head, scaling
            to unit length, or a dynamic tanh.
        differential: Whether a second attention map is subtracted (after arXiv 2410.05258).
        feat_scale: Whether mean and deviation over the sequence are weighted by channel.
    """

    def __init__(
        self,
        *,
        dim: int,
        head_dim: int,
        context_dim: int | None = None,
        qk_norm: QKNorm = "none",
        differential: bool = False,
        feat_scale: bool = False,
    ) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.differential = differential
        self.feat_scale = feat_scale
        maps = 2 if differential else 1
        if context_dim is None:
            self.to_qkv = nn.Linear(dim, dim * (2 * maps + 1), bias=False)
        else:
            self.to_q = nn.Linear(dim, dim * maps, bias=False)
            self.to_kv = nn.Linear(context_dim, context_dim * (maps + 1), bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)
        self.qk_norm = qk_norm
        if qk_norm == "ln":
            self.q_norm: nn.Module = nn.LayerNorm(head_dim, eps=1e-6)
            self.k_norm: nn.Module = nn.LayerNorm(head_dim, eps=1e-6)
        elif qk_norm == "dyt":
            self.q_norm = DynamicTanh(head_dim)
            self.k_norm = DynamicTanh(head_dim)
        if feat_scale:
            self.lambda_dc = nn.Parameter(torch.zeros(dim))
            self.lambda_hf = nn.Parameter(torch.zeros(dim))

    def project(self, given: Tokens) -> Context:
        """Keys and values of conditioning tokens: they stay the same in all steps of a run."""
        tokens, weights = given
        *keys, values = self._heads(self.to_kv(tokens), 3 if self.differential else 2)
        return Context(tuple(self._normed(key, "k") for key in keys), values, weights)

    def forward(
        self, x: Tensor, context: Context | None = None, rotation: Rotation | None = None
    ) -> Tensor:
        """Attends.

        Args:
            x: ``[batch, length, dim]``.
            context: What to attend to; None for the sequence itself.
            rotation: For the queries and keys of self-attention.

        Returns:
            ``[batch, length, dim]``.
        """
        maps = 2 if self.differential else 1
        if context is not None:
            queries = self._heads(self.to_q(x), maps)
            keys, values, weights = context
        else:
            # The parts are queries, keys and values, and then the second map's queries and keys.
            q, k, values, *second = self._heads(self.to_qkv(x), 2 * maps + 1)
            queries, weights = (q, *second[:1]), None
            keys = tuple(self._normed(key, "k") for key in (k, *second[1:]))

        out, *subtracted = (
            self._attend(self._normed(q, "q"), k, values, weights, rotation)
            for q, k in zip(queries, keys, strict=True)
        )
        for one in subtracted:
            out = out - one
        projected: Tensor = self.to_out(out.transpose(1, 2).flatten(2))
        if self.feat_scale:
            mean = projected.mean(dim=1, keepdim=True)
            projected = projected + self.lambda_dc * mean + self.lambda_hf * (projected - mean)
        return projected

    def _heads(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """``[batch, length, parts * dim]`` to parts of ``[batch, heads, length, head_dim]``."""
        heads = projected.reshape(*projected.shape[:2], -1, self.head_dim).transpose(1, 2)
        return torch.chunk(heads, parts, dim=1)

    def _normed(self, heads: Tensor, side: Literal["q", "k"]) -> Tensor:
        """Queries or keys, ``[batch, heads, length, head_dim]``, after their norm."""
        if self.qk_norm == "none":
            return heads
        if self.qk_norm == "l2":
            return functional.normalize(heads, dim=-1)
        normed: Tensor = (self.q_norm if side == "q" else self.k_norm)(heads)
        return normed

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, weights: Tensor | None, rotation: Rotation | None
    ) -> Tensor:
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        grouped = q.shape[1] != k.shape[1]
        return functional.scaled_dot_product_attention(
            q, k, v, attn_mask=weights, enable_gqa=grouped
        )
