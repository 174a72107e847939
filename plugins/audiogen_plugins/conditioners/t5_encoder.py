"""The encoder of T5 (Raffel et al. 2019, arXiv 1910.10683), as far as conditioning needs it.

The library that has all of T5's kin takes several seconds to import: more than anything else that a
short run does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional

from audiogen_core.models.checkpoint import FLOATS, PickledCheckpoint, SafetensorsCheckpoint
from audiogen_core.models.limits import Parts, Width
from audiogen_core.models.linear import linear
from audiogen_core.options import PluginOptions

EMBEDDING = ("shared.weight", "encoder.embed_tokens.weight")
"""What checkpoints call the vocabulary's embedding: the one, the other, or both."""

ATTENTION = "layer.0.SelfAttention"
FEED_FORWARD = "layer.1.DenseReluDense"
POSITIONS = f"encoder.block.0.{ATTENTION}.relative_attention_bias.weight"


class T5Config(PluginOptions):
    """The keys of ``config.json`` that say what the encoder is."""

    model_type: str = "t5"
    d_model: Width
    d_kv: Width = 64
    d_ff: Width = 2048
    num_layers: Parts = 6
    num_heads: Width = 8
    vocab_size: Annotated[int, Field(gt=0, le=2**22)] = 32128
    relative_attention_num_buckets: Annotated[int, Field(ge=4, le=4096)] = 32
    relative_attention_max_distance: Annotated[int, Field(ge=4, le=2**20)] = 128
    layer_norm_epsilon: Annotated[float, Field(gt=0)] = 1e-6
    feed_forward_proj: Literal["relu", "gated-gelu", "gated-silu"] = "relu"

    @field_validator("model_type")
    @classmethod
    def _like_t5(cls, value: str) -> str:
        # UMT5 has tensors of the same names, and others besides: as T5 it would mean nothing.
        if value not in {"t5", "mt5"}:
            raise ValueError(f"must be 't5' or 'mt5', not '{value}'")
        return value

    @property
    def gated(self) -> bool:
        """Whether the feed-forward networks are gated (Shazeer 2020, arXiv 2002.05202)."""
        return self.feed_forward_proj != "relu"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors of a checkpoint that the encoder needs, without the embedding."""
        inner = self.num_heads * self.d_kv
        found: dict[str, tuple[int, ...]] = {
            POSITIONS: (self.relative_attention_num_buckets, self.num_heads),
            "encoder.final_layer_norm.weight": (self.d_model,),
        }
        for number in range(self.num_layers):
            block = f"encoder.block.{number}."
            for side in "qkv":
                found[f"{block}{ATTENTION}.{side}.weight"] = (inner, self.d_model)
            found[f"{block}{ATTENTION}.o.weight"] = (self.d_model, inner)
            for side in ("wi_0", "wi_1") if self.gated else ("wi",):
                found[f"{block}{FEED_FORWARD}.{side}.weight"] = (self.d_ff, self.d_model)
            found[f"{block}{FEED_FORWARD}.wo.weight"] = (self.d_model, self.d_ff)
            for part in (0, 1):
                found[f"{block}layer.{part}.layer_norm.weight"] = (self.d_model,)
        return found


class T5Encoder:
    """The encoder.

    Args:
        config: What it is.
        weights: Tensors by their names in a checkpoint, all on one device and of one type; the
            embedding as the first of `EMBEDDING`.
    """

    def __init__(self, config: T5Config, weights: Mapping[str, Tensor]) -> None:
        self._config = config
        self._weights = weights
        self.device = weights[POSITIONS].device

    @classmethod
    def load(
        cls, config: T5Config, files: Iterable[Path], device: torch.device, dtype: torch.dtype
    ) -> Self:
        """Reads the weights.

        Models in this format were trained, and are run by the reference implementation, with text
        encoders in float16. In float32, the weights are rounded to float16's values: that gives
        the embeddings that a model knows, without float16's errors in between.

        Args:
            config: What the encoder is.
            files: Checkpoints that hold its tensors between them.
            device: Where the weights go.
            dtype: Their type.

        Raises:
            InputError: A file is broken.
            ValueError: A tensor is missing, or another than the config says.
        """
        wanted = config.shapes()
        dim = (config.vocab_size, config.d_model)
        wanted |= dict.fromkeys(EMBEDDING, dim)
        found: dict[str, Tensor] = {}
        for file in files:
            safe = file.suffix == ".safetensors"
            checkpoint = SafetensorsCheckpoint(file) if safe else PickledCheckpoint(file)
            for name, shape in checkpoint.shapes().items():
                if name not in wanted or name in found:
                    continue
                if shape != wanted[name]:
                    raise ValueError(
                        f"{name} has the shape {list(shape)}, expected {list(wanted[name])}"
                    )
                tensor = checkpoint.tensor(name)
                if tensor.dtype not in FLOATS:
                    raise ValueError(
                        f"{name} holds {tensor.dtype}, expected floating-point numbers"
                    )
                if dtype == torch.float32:
                    tensor = tensor.half()
                found[name] = tensor.to(device, dtype)
        for name in EMBEDDING[1:]:
            if (given := found.pop(name, None)) is not None:
                found.setdefault(EMBEDDING[0], given)
        if missing := sorted({*config.shapes(), EMBEDDING[0]} - set(found)):
            raise ValueError(f"{missing[0]} is missing")
        return cls(config, found)

    @torch.inference_mode()
    def __call__(self, ids: Tensor, attended: Tensor) -> Tensor:
        """The last hidden states, with nothing kept for gradients; see `hidden`."""
        return self.hidden(ids, attended)

    def hidden(self, ids: Tensor, attended: Tensor) -> Tensor:
        """The last hidden states.

        Args:
            ids: Tokens, ``[batch, length]``.
            attended: False for padding, ``[batch, length]``.

        Returns:
            ``[batch, length, d_model]``.
        """
        bias = self._bias(ids.shape[1])
        bias = bias.masked_fill(~attended[:, None, None], torch.finfo(bias.dtype).min)
        x = functional.embedding(ids, self._weights[EMBEDDING[0]])
        for number in range(self._config.num_layers):
            block = f"encoder.block.{number}."
            h = self._norm(x, f"{block}layer.0.layer_norm")
            x = _held(x + self._attention(h, bias, f"{block}{ATTENTION}"))
            h = self._norm(x, f"{block}layer.1.layer_norm")
            x = _held(x + self._feed_forward(h, f"{block}{FEED_FORWARD}"))
        return self._norm(x, "encoder.final_layer_norm")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return linear(x, self._weights[f"{name}.weight"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        """Without mean and bias (Zhang and Sennrich 2019, arXiv 1910.07467), in float32."""
        power = x.float().square().mean(-1, keepdim=True)
        scaled = x * torch.rsqrt(power + self._config.layer_norm_epsilon)
        return self._weights[f"{name}.weight"] * scaled.to(x.dtype)

    def _attention(self, x: Tensor, bias: Tensor, name: str) -> Tensor:
        """The logits are not scaled."""
        heads = (*x.shape[:2], self._config.num_heads, self._config.d_kv)
        q, k, v = (
            self._linear(x, f"{name}.{side}").reshape(heads).transpose(1, 2) for side in "qkv"
        )
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        return self._linear(out.transpose(1, 2).flatten(2), f"{name}.o")

    def _feed_forward(self, x: Tensor, name: str) -> Tensor:
        if not self._config.gated:
            return self._linear(functional.relu(self._linear(x, f"{name}.wi")), f"{name}.wo")
        gate = self._linear(x, f"{name}.wi_0")
        if self._config.feed_forward_proj == "gated-silu":
            gate = functional.silu(gate)
        else:
            gate = functional.gelu(gate, approximate="tanh")
        return self._linear(gate * self._linear(x, f"{name}.wi_1"), f"{name}.wo")

    def _bias(self, length: int) -> Tensor:
        """What attention adds for each distance, ``[1, heads, length, length]``.

        Half of the buckets are for what comes after. Of each half, half are for single distances;
        the others grow with them, and the last holds all that is farther away.
        """
        positions = torch.arange(length, device=self.device)
        distance = positions[None] - positions[:, None]
        half = self._config.relative_attention_num_buckets // 2
        single = half // 2
        far = distance.abs().clamp(min=single).float() / single
        growth = math.log(self._config.relative_attention_max_distance / single)
        grown = single + (far.log() / growth * (half - single)).long()
        bucket = torch.where(distance.abs() < single, distance.abs(), grown.clamp(max=half - 1))
        bucket = bucket + half * (distance > 0)
        return functional.embedding(bucket, self._weights[POSITIONS]).permute(2, 0, 1)[None]


def _held(x: Tensor) -> Tensor:
    """What exceeds 16 bits stays a number, as in the library of all language models."""
    if x.dtype is not torch.float16:
        return x
    most = torch.finfo(x.dtype).max - (1000 if bool(x.isinf().any()) else 0)
    return x.clamp(-most, most)
