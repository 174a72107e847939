"""The diffusion transformer of Stable Audio (Peebles and Xie 2022, arXiv 2212.09748).

How it differs from the paper's is described by Evans et al. 2024, "Long-form music generation
with latent diffusion" (arXiv 2404.10301).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional

from audiogen_core.interfaces.backbone import Backbone, BackboneInputs
from audiogen_core.models.limits import MAX_PARTS, OptionalWidth, Parts, Positions, Width
from audiogen_core.options import PluginOptions
from audiogen_plugins.backbones.attention import (
    Attention,
    Context,
    QKNorm,
    RotaryEmbedding,
    Tokens,
)
from audiogen_plugins.backbones.norms import DynamicTanh, LayerNorm, LayerScale
from audiogen_plugins.backbones.transformer import (
    AbsoluteEmbedding,
    Block,
    Conformer,
    FeedForward,
    SinusoidalEmbedding,
    Transformer,
)

TIMESTEP_FEATURES = 256

MAX_MULT = 64
"""How many times wider than a block its feed-forward network may be."""


class AttentionOptions(PluginOptions):
    """The keys of ``attn_kwargs``."""

    qk_norm: QKNorm = "none"
    differential: bool = False
    feat_scale: bool = False


class FeedForwardOptions(PluginOptions):
    """The keys of ``ff_kwargs``."""

    mult: float = Field(default=4, gt=0, le=MAX_MULT)
    no_bias: bool = False
    glu: bool = True
    use_conv: bool = False
    conv_kernel_size: Width = 3

    @field_validator("conv_kernel_size")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"must be odd, so that lengths stay the same, not {value}")
        return value


class NormOptions(PluginOptions):
    """The keys of ``norm_kwargs``."""

    eps: float = Field(default=1e-5, gt=0)
    bias: bool = False
    fix_scale: bool = False
    force_fp32: bool = False


class DiTOptions(PluginOptions):
    """The keys of ``model.diffusion.config`` for ``"type": "dit"``."""

    io_channels: Width = 32
    patch_size: Width = 1
    embed_dim: Width = 768
    depth: Parts = 12
    num_heads: Width = 8

    cond_token_dim: OptionalWidth = 0
    project_cond_tokens: bool = True
    global_cond_dim: OptionalWidth = 0
    project_global_cond: bool = True
    input_concat_dim: OptionalWidth = 0
    prepend_cond_dim: OptionalWidth = 0
    global_cond_type: Literal["prepend", "adaLN"] = "prepend"
    timestep_cond_type: Literal["global", "input_concat"] = "global"
    timestep_embed_dim: Width | None = None

    transformer_type: Literal["continuous_transformer"] = "continuous_transformer"
    num_memory_tokens: OptionalWidth = 0
    rotary_pos_emb: bool = True
    use_sinusoidal_emb: bool = False
    use_abs_pos_emb: bool = False
    abs_pos_emb_max_length: Positions = 10000
    final_cross_attn_ix: int = Field(default=-1, ge=-1, le=MAX_PARTS)
    conformer: bool = False
    layer_scale: bool = False
    remove_norms: bool = False
    attn_kwargs: AttentionOptions = AttentionOptions()
    ff_kwargs: FeedForwardOptions = FeedForwardOptions()
    norm_kwargs: NormOptions = NormOptions()

    zero_init_branch_outputs: bool = True
    """How training started: accepted, for checkpoints replace what it initialised."""

    add_rope: bool = False
    causal: bool = False
    sliding_window: list[int] | None = None

    @field_validator("add_rope", "causal", "sliding_window")
    @classmethod
    def _not_supported(cls, value: object) -> object:
        if value:
            raise ValueError(f"is not supported when set to {value!r}; only its default is")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        dim, heads = self.embed_dim, self.num_heads
        if dim % heads:
            raise ValueError(f"embed_dim ({dim}) must be a multiple of num_heads ({heads})")
        head_dim = dim // heads
        if self.rotary_pos_emb and head_dim < self.rotary_dim:
            raise ValueError(
                f"embed_dim / num_heads is {head_dim}, but rotary_pos_emb turns"
                f" {self.rotary_dim} channels of each head"
            )
        kv_heads, left_over = divmod(self.context_dim, head_dim)
        if self.cond_token_dim and (left_over or kv_heads == 0 or heads % kv_heads):
            raise ValueError(
                f"conditioning tokens of {self.context_dim} channels must divide into heads of"
                f" {head_dim} (embed_dim / num_heads), as many or a fraction of num_heads ({heads})"
            )
        if self.global_cond_dim not in (0, dim) and not self.project_global_cond:
            raise ValueError(
                f"project_global_cond is false, so global_cond_dim ({self.global_cond_dim}) must"
                f" equal embed_dim ({dim})"
            )
        if self.timestep_cond_type == "input_concat" and self.timestep_embed_dim is None:
            raise ValueError("timestep_cond_type 'input_concat' needs timestep_embed_dim")
        if self.use_sinusoidal_emb and self.use_abs_pos_emb:
            raise ValueError("use_sinusoidal_emb and use_abs_pos_emb exclude each other")
        if self.use_sinusoidal_emb and dim % 2:
            raise ValueError(f"use_sinusoidal_emb needs an even embed_dim, not {dim}")
        return self

    @property
    def head_dim(self) -> int:
        """Channels of an attention head."""
        return self.embed_dim // self.num_heads

    @property
    def rotary_dim(self) -> int:
        """How many channels of a head rotary embeddings turn: half of them, at least 32."""
        return max(self.head_dim // 2, 32)

    @property
    def context_dim(self) -> int:
        """Channels of the conditioning tokens that the blocks attend to."""
        return self.embed_dim if self.project_cond_tokens else self.cond_token_dim

    @property
    def timestep_channels(self) -> int:
        """Channels of the timestep's embedding where it is joined to the input, otherwise 0."""
        joined = self.timestep_cond_type == "input_concat"
        return self.timestep_embed_dim or 0 if joined else 0

    @property
    def timestep_dim(self) -> int:
        """Channels of the timestep's embedding."""
        return self.timestep_channels or self.embed_dim

    @property
    def input_channels(self) -> int:
        """Channels of the latents and of all that is joined to them."""
        return self.io_channels + self.input_concat_dim + self.timestep_channels


class FourierFeatures(nn.Module):
    """Cosines and sines of learned multiples of the timestep (Tancik et al. 2020, 2006.10739)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(features // 2, 1))

    def forward(self, t: Tensor) -> Tensor:
        """``[batch]`` to ``[batch, features]``, computed in float32 at least."""
        weight = self.weight.to(torch.promote_types(self.weight.dtype, torch.float32))
        angles = 2 * math.pi * t.to(weight.dtype)[:, None] * weight[:, 0]
        return torch.cat((angles.cos(), angles.sin()), dim=-1).to(self.weight.dtype)


@dataclass(frozen=True)
class _Projected(BackboneInputs):
    """The conditioning as the network has projected it.

    Attributes:
        contexts: What each block attends to; empty where there is nothing.
    """

    contexts: Sequence[Context | None] = ()


class DiffusionTransformer(Backbone):
    """A transformer over latents, conditioned in four ways.

    Conditioning tokens are attended to; the global embedding (with the timestep) is prepended
    as a token or modulates the blocks; tokens can be prepended; channels can be joined to the
    input.

    Args:
        io_channels: Channels of the latents.
        transformer: The stack of blocks.
        timestep_embed: From Fourier features to the timestep's embedding.
        cond_embed: Projects the cross-attention tokens.
        global_embed: Projects the global embedding.
        prepend_embed: Projects the tokens to prepend.
        concat_channels: Channels of conditioning that are joined to the input.
        timestep_channels: Channels of the timestep's embedding that are joined to the input; 0
            adds it to the global embedding.
        patch_size: How many latents make one vector of the sequence.
        modulated: Whether the global embedding modulates the blocks instead of being prepended.
    """

    NAME = "dit"
    Options = DiTOptions

    def __init__(
        self,
        *,
        io_channels: int,
        transformer: Transformer,
        timestep_embed: nn.Module,
        cond_embed: nn.Sequential | None = None,
        global_embed: nn.Sequential | None = None,
        prepend_embed: nn.Sequential | None = None,
        concat_channels: int = 0,
        timestep_channels: int = 0,
        patch_size: int = 1,
        modulated: bool = False,
    ) -> None:
        super().__init__()
        input_channels = io_channels + concat_channels + timestep_channels
        self.timestep_features = FourierFeatures(TIMESTEP_FEATURES)
        self.to_timestep_embed = timestep_embed
        self.to_cond_embed = cond_embed
        self.to_global_embed = global_embed
        self.to_prepend_embed = prepend_embed
        self.preprocess_conv = nn.Conv1d(input_channels, input_channels, 1, bias=False)
        self.transformer = transformer
        self.postprocess_conv = nn.Conv1d(io_channels, io_channels, 1, bias=False)
        self.io_channels = io_channels
        self.concat_channels = concat_channels
        self.timestep_as_input = timestep_channels > 0
        self.patch_size = patch_size
        self.modulated = modulated

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """A small network with two kinds of conditioning."""
        options = {"io_channels": 4, "embed_dim": 64, "depth": 2, "num_heads": 2}
        options |= {"cond_token_dim": 32, "global_cond_dim": 6}
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randn(2, 5, 32, generator=generator)
        inputs = BackboneInputs(tokens, torch.randn(2, 6, generator=generator))
        return {"options": options, "channels": 4, "inputs": inputs}

    @classmethod
    def build(cls, options: DiTOptions) -> Self:
        """Makes the module, without weights when under ``torch.device("meta")``."""
        dim = options.embed_dim

        def projection(dim_in: int, dim_out: int) -> nn.Sequential | None:
            return _mlp(dim_in, dim_out, bias=False) if dim_in else None

        return cls(
            io_channels=options.io_channels,
            transformer=_transformer(options),
            timestep_embed=_mlp(TIMESTEP_FEATURES, options.timestep_dim, bias=True),
            cond_embed=projection(options.cond_token_dim, options.context_dim),
            global_embed=projection(options.global_cond_dim, dim),
            prepend_embed=projection(options.prepend_cond_dim, dim),
            concat_channels=options.input_concat_dim,
            timestep_channels=options.timestep_channels,
            patch_size=options.patch_size,
            modulated=options.global_cond_type == "adaLN",
        )

    @property
    def length_multiple(self) -> int:
        """Latent lengths must be a multiple of this."""
        return self.patch_size

    def check(self, x: Tensor, inputs: BackboneInputs) -> None:
        """Compares the shapes with what the network was built for.

        Raises:
            ValueError: They differ.
        """
        _check_channels("latents", x.shape[1], self.io_channels)
        for kind, layer, given in (
            ("cross-attention", self.to_cond_embed, inputs.cross_attention),
            ("global", self.to_global_embed, inputs.global_embedding),
            ("prepend", self.to_prepend_embed, inputs.prepend),
        ):
            if given is None:
                continue
            if layer is None:
                raise ValueError(f"this model takes no {kind} conditioning")
            width = cast("nn.Linear", layer[0]).in_features
            _check_channels(f"{kind} conditioning", given.shape[-1], width)
        concat = inputs.input_concat
        _check_channels(
            "input_concat", 0 if concat is None else concat.shape[1], self.concat_channels
        )
        tokens = 0 if inputs.prepend is None else inputs.prepend.shape[1]
        if not self.modulated and (
            inputs.global_embedding is not None or not self.timestep_as_input
        ):
            tokens += 1
        self.transformer.check(tokens + x.shape[2] // self.patch_size)

    def prepared(self, inputs: BackboneInputs) -> _Projected:
        """Projects the conditioning, as far as the keys and values of each block."""
        like = self.preprocess_conv.weight
        contexts: Sequence[Context | None] = ()
        if (given := inputs.cross_attention) is not None and (seen := _seen(given, like.dtype)):
            tokens, weights = seen
            if self.to_cond_embed is not None:
                tokens = self.to_cond_embed(tokens.to(like))
            weights = None if weights is None else weights.to(like)
            contexts = self.transformer.contexts(Tokens(tokens, weights))
        return _Projected(
            global_embedding=_embed(self.to_global_embed, inputs.global_embedding, like),
            prepend=_embed(self.to_prepend_embed, inputs.prepend, like),
            input_concat=inputs.input_concat,
            contexts=contexts,
        )

    def forward(self, x: Tensor, t: Tensor, inputs: BackboneInputs) -> Tensor:
        """Predicts the velocity.

        Args:
            x: Noisy latents, ``[batch, channels, latents]``.
            t: Times in [0, 1], ``[batch]``.
            inputs: The conditioning, `prepared` or not.

        Returns:
            ``[batch, channels, latents]``, of the weights' dtype.

        Raises:
            ValueError: The conditioning is not what the model was built for, or the length no
                multiple of `length_multiple`.
        """
        if x.shape[2] % self.patch_size:
            raise ValueError(f"{x.shape[2]} latents are no multiple of {self.patch_size}")
        if not isinstance(inputs, _Projected):
            self.check(x, inputs)
            inputs = self.prepared(inputs)
        x = self._with_channels(x.to(self.preprocess_conv.weight.dtype), inputs.input_concat)
        pooled, prepend = inputs.global_embedding, inputs.prepend

        timestep = self.to_timestep_embed(self.timestep_features(t))
        if self.timestep_as_input:
            x = torch.cat((x, timestep[:, :, None].expand(-1, -1, x.shape[2])), dim=1)
        else:
            pooled = timestep if pooled is None else pooled + timestep
        if not self.modulated and pooled is not None:
            token = pooled[:, None]
            prepend = token if prepend is None else torch.cat((prepend, token), dim=1)

        x = x + self.preprocess_conv(x)
        h = self.transformer(
            _patched(x, self.patch_size),
            prepend=prepend,
            contexts=inputs.contexts,
            global_embedding=pooled if self.modulated else None,
        )
        out = _patched(h, self.patch_size)
        refinement: Tensor = self.postprocess_conv(out)
        return out + refinement

    def _with_channels(self, x: Tensor, extra: Tensor | None) -> Tensor:
        """Joins ``extra``, stretched to the latents' length, to the input's channels."""
        if extra is None:
            return x
        if extra.shape[2] != x.shape[2]:
            extra = functional.interpolate(extra, size=x.shape[2], mode="nearest")
        return torch.cat((x, extra.to(x)), dim=1)


def _seen(tokens: Tensor, dtype: torch.dtype) -> Tokens | None:
    """The tokens that are attended to: all of them in training, which sees others in every step.

    There, looking which of them are needed would let a GPU wait.
    """
    return Tokens(tokens, None) if torch.is_grad_enabled() else _folded(tokens, dtype)


def _folded(tokens: Tensor, dtype: torch.dtype) -> Tokens | None:
    """The tokens without what need not be computed: the result is the same, but for rounding.

    Zero vectors, which fill up prompts, are projected to one and the same key: one that weighs as
    much as all of them does for all. In 16 bits, which hold such a weight to 1 % alone, a second
    one weighs what is missing. Rows of nothing but zeros, with which guidance compares, get zeros
    for values and so from the attention: the last rows are left out where they are such.

    Args:
        tokens: ``[batch, tokens, dim]``.
        dtype: What the weights will be rounded to.

    Returns:
        At most as many rows and tokens; None where there is no row.
    """
    filled = (tokens != 0).any(2)
    rows = int(filled.any(1).nonzero().max()) + 1 if filled.any() else 0
    if rows == 0:
        return None
    tokens, filled = tokens[:rows], filled[:rows]
    counts = filled.sum(1)
    folded = 2 if dtype in (torch.float16, torch.bfloat16) else 1
    length = min(int(counts.max()) + folded, tokens.shape[1])
    if length == tokens.shape[1]:
        return Tokens(tokens, None)
    # Those that are filled come first, in their order, and then one or two that are not.
    order = (~filled).to(torch.uint8).argsort(dim=1, stable=True)[:, :length]
    kept = tokens.gather(1, order[:, :, None].expand(-1, -1, tokens.shape[2]))
    places = torch.arange(length, device=tokens.device)
    counts = counts[:, None]
    weights = torch.zeros(rows, length, device=tokens.device)
    weights = weights.masked_fill(places > counts, -math.inf)
    missing = (tokens.shape[1] - counts).float()
    for number in range(folded):
        weight = missing.log()
        if number < folded - 1:
            weight = (weight * (1 - torch.finfo(dtype).eps)).to(dtype).float()
        weights = weights.where(places != counts + number, weight)
        missing = missing - weight.exp()
    return Tokens(kept, weights[:, None, None])


def _check_channels(what: str, given: int, wanted: int) -> None:
    if given != wanted:
        raise ValueError(f"{what} must have {wanted} channels, not {given}")


def _patched(x: Tensor, patch_size: int) -> Tensor:
    """Puts neighbouring latents into the channels of one vector, and undoes it as well.

    ``[batch, channels, patches * patch_size]`` to ``[batch, patches, channels * patch_size]``;
    or the other way round, for it is the same transposition.
    """
    batch, rows, columns = x.shape
    return x.reshape(batch, rows, columns // patch_size, patch_size).transpose(1, 2).flatten(2)


def _embed(layer: nn.Module | None, given: Tensor | None, like: Tensor) -> Tensor | None:
    """Projects a conditioning input in the weights' dtype."""
    if given is None or layer is None:
        return None
    projected: Tensor = layer(given.to(like))
    return projected


def _mlp(dim_in: int, dim_out: int, *, bias: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(dim_in, dim_out, bias=bias), nn.SiLU(), nn.Linear(dim_out, dim_out, bias=bias)
    )


def _transformer(options: DiTOptions) -> Transformer:
    dim, patch = options.embed_dim, options.patch_size
    positions: nn.Module | None = None
    if options.use_sinusoidal_emb:
        positions = SinusoidalEmbedding(dim)
    elif options.use_abs_pos_emb:
        positions = AbsoluteEmbedding(
            dim, options.abs_pos_emb_max_length + options.num_memory_tokens
        )
    return Transformer(
        dim,
        dim_in=options.input_channels * patch,
        dim_out=options.io_channels * patch,
        layers=[_block(options, index) for index in range(options.depth)],
        rotary=RotaryEmbedding(options.rotary_dim) if options.rotary_pos_emb else None,
        positions=positions,
        memory_tokens=options.num_memory_tokens,
        modulated=options.global_cond_type == "adaLN",
    )


def _block(options: DiTOptions, index: int) -> Block:
    dim = options.embed_dim
    norm_kwargs: Mapping[str, Any] = options.norm_kwargs.model_dump()
    attn_kwargs: Mapping[str, Any] = options.attn_kwargs.model_dump()

    def attention(context_dim: int | None) -> Attention:
        return Attention(dim=dim, head_dim=options.head_dim, context_dim=context_dim, **attn_kwargs)

    def layer_norm() -> nn.Module:
        return LayerNorm(dim, **norm_kwargs)

    # -1 lets every block attend to the conditioning, another index only those up to it.
    cross = options.cond_token_dim > 0 and (
        options.final_cross_attn_ix == -1 or index <= options.final_cross_attn_ix
    )
    return Block(
        dim,
        norm=(lambda: DynamicTanh(dim)) if options.remove_norms else layer_norm,
        scale=(lambda: LayerScale(dim)) if options.layer_scale else nn.Identity,
        self_attn=attention(None),
        cross_attn=attention(options.context_dim) if cross else None,
        conformer=Conformer(dim, in_norm=layer_norm(), mid_norm=layer_norm())
        if options.conformer
        else None,
        ff=FeedForward(dim, **options.ff_kwargs.model_dump()),
        modulated=options.global_cond_type == "adaLN",
    )
