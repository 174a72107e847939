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
        self.register_buffer("inv_freq", self._frequencies(None))
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
        # A model cast to 16 bits has lost the frequencies' precision; their formula has not.
        exact = stored if stored.dtype == torch.float32 else self._frequencies(stored.device)
        angles = torch.arange(length, device=stored.device).float()[:, None] * exact
        return Rotation(angles.cos(), angles.sin())

    def _frequencies(self, device: torch.device | None) -> Tensor:
        exponents = torch.arange(0, self.dim, 2, device=device).float() / self.dim
        return 1.0 / 10000**exponents


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

    def forward(
        self, x: Tensor, context: Tensor | None = None, rotation: Rotation | None = None
    ) -> Tensor:
        """Attends.

        Args:
            x: ``[batch, length, dim]``.
            context: ``[batch, tokens, context_dim]``; all of its tokens take part.
            rotation: For the queries and keys of self-attention.

        Returns:
            ``[batch, length, dim]``.
        """
        if context is None:
            q, k, v, *second = self._heads(self.to_qkv(x), 5 if self.differential else 3)
        elif self.differential:
            q, q_second = self._heads(self.to_q(x), 2)
            k, k_second, v = self._heads(self.to_kv(context), 3)
            second = [q_second, k_second]
        else:
            (q,) = self._heads(self.to_q(x), 1)
            k, v = self._heads(self.to_kv(context), 2)
            second = []

        out: Tensor = self._attend(q, k, v, rotation)
        if second:
            out = out - self._attend(second[0], second[1], v, rotation)
        out = self.to_out(out.transpose(1, 2).flatten(2))
        if self.feat_scale:
            mean = out.mean(dim=1, keepdim=True)
            out = out + self.lambda_dc * mean + self.lambda_hf * (out - mean)
        return out

    def _heads(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """``[batch, length, parts * dim]`` to parts of ``[batch, heads, length, head_dim]``."""
        heads = projected.reshape(*projected.shape[:2], -1, self.head_dim).transpose(1, 2)
        return torch.chunk(heads, parts, dim=1)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, rotation: Rotation | None) -> Tensor:
        if self.qk_norm == "l2":
            q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        elif self.qk_norm != "none":
            q, k = self.q_norm(q), self.k_norm(k)
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        grouped = q.shape[1] != k.shape[1]
        return functional.scaled_dot_product_attention(q, k, v, enable_gqa=grouped)
