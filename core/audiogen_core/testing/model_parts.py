"""Contract checks for the parts of models: run them over yours, as this project does over its own.

In a test of your own::

    def test_my_conditioner():
        check_conditioner(Mood, {}, good=[-1, 0.5], bad=[2, "sad"])

    def test_my_backbone():
        inputs = BackboneInputs(cross_attention=torch.randn(2, 5, 32))
        check_backbone(MyBackbone, {"io_channels": 4}, channels=4, inputs=inputs)

    def test_my_autoencoder():
        check_autoencoder(MyAutoencoder, encoder={...}, decoder={...}, latent_channels=4)

Every check builds the part as the framework does, without weights, and gives it random ones. It
raises `AssertionError` with what was promised and what was found.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from audiogen_core.interfaces.autoencoder import AudioDecoder, AudioEncoder, Autoencoder
from audiogen_core.interfaces.backbone import Backbone, BackboneInputs
from audiogen_core.interfaces.bottleneck import Bottleneck
from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.options import validate

ModuleT = TypeVar("ModuleT", bound=nn.Module)

TOLERANCE = 1e-4
"""How far two results may lie apart that differ by float32 rounding, relative to the largest."""


def with_random_weights(
    build: Callable[[], ModuleT], seed: int = 0, before: Callable[[ModuleT], object] | None = None
) -> ModuleT:
    """Builds a module without weights, as the framework does, and loads random ones.

    Args:
        build: Makes the module.
        seed: Of the random weights.
        before: Is called with the module before they are loaded.

    Returns:
        The module, in evaluation mode.
    """
    with torch.device("meta"):
        module = build()
    if before is not None:
        before(module)
    generator = torch.Generator().manual_seed(seed)
    state = {name: _random(tensor, generator) for name, tensor in module.state_dict().items()}
    module.load_state_dict(state, strict=True, assign=True)
    for name, tensor in module.named_buffers():
        assert not tensor.is_meta, (
            f"buffer {name} holds no data after a checkpoint is loaded: what no checkpoint holds"
            " has to be computed when it is needed"
        )
    return module.eval()


def _random(like: Tensor, generator: torch.Generator) -> Tensor:
    if not like.is_floating_point():  # an index, say, which not every number can be
        return torch.zeros(like.shape, dtype=like.dtype)
    values = torch.randn(like.shape, generator=generator)
    if like.dim() < 2:
        return 1 + 0.1 * values
    return values / math.sqrt(math.prod(like.shape[1:]))


def check_conditioner(
    plugin: type[Conditioner],
    options: Mapping[str, Any],
    *,
    good: Sequence[Any],
    bad: Sequence[Any] = (),
    output_dim: int = 16,
    folder: Path | None = None,
) -> None:
    """Checks a conditioner.

    Args:
        plugin: The class.
        options: What the config of a model would hold.
        good: At least two values that it has to accept.
        bad: Values that it has to refuse.
        output_dim: Channels of its tokens.
        folder: The model config's folder.
    """
    settings = validate(plugin.Options, dict(options))
    for value in good:
        plugin.check(value, settings)
    for value in bad:
        _check_refused(plugin, value, settings)

    context = BuildContext(output_dim, folder)
    module = with_random_weights(
        lambda: plugin.build(settings, context),
        before=lambda one: one.prepare(torch.device("cpu"), torch.float32),
    )
    identity = module.identity()
    same = json.loads(json.dumps(identity, allow_nan=False))
    assert same == identity, f"identity() changes in JSON: {identity!r} becomes {same!r}"
    embedding = _embed(module, good, range(len(good)))
    _check_embedding(embedding, len(good), output_dim)
    _assert_same(
        embedding.tokens,
        _embed(module, good, range(len(good))).tokens,
        "two runs with the same values and seeds differ",
    )
    for index, value in enumerate(good):
        alone = _embed(module, [value], [index])
        what = f"the embedding of {value!r} depends on the other samples of the batch"
        _assert_same(embedding.tokens[index], alone.tokens[0], what)
        assert torch.equal(embedding.mask[index], alone.mask[0]), what
    with suppress(Exception):  # it may raise anything: a value is embedded all the same
        module.foresee(good)
    _assert_same(
        embedding.tokens,
        _embed(module, good, range(len(good))).tokens,
        "foresee() changes what is embedded",
    )

    half = _embed(module.to(torch.bfloat16), good, range(len(good)))
    error = (half.tokens.float() - embedding.tokens).norm() / embedding.tokens.norm()
    assert not error > 0.1, f"in bfloat16, the embeddings are off by {error:.0%}"


def _check_refused(plugin: type[Conditioner], value: Any, settings: Any) -> None:
    message = None
    try:
        plugin.check(value, settings)
    except ValueError as error:
        message = str(error)
    assert message is not None, f"check accepts {value!r}"
    assert message, f"check refuses {value!r} without saying why"


@torch.inference_mode()
def _embed(module: Conditioner, values: Sequence[Any], seeds: Sequence[int]) -> Embedding:
    embedding: Embedding = module(values, [torch.Generator().manual_seed(seed) for seed in seeds])
    return embedding


def _check_embedding(embedding: Embedding, batch: int, output_dim: int) -> None:
    tokens, mask = embedding
    assert tokens.dim() == 3, f"tokens must have 3 dimensions, not shape {list(tokens.shape)}"
    assert tokens.shape[0] == batch, f"{batch} values gave {tokens.shape[0]} embeddings"
    assert output_dim in tokens.shape[1:], (
        f"tokens must have the model's {output_dim} channels, not shape {list(tokens.shape)}"
    )
    length = tokens.shape[1] if tokens.shape[2] == output_dim else tokens.shape[2]
    assert mask.dtype == torch.bool, f"the mask must be bool, not {mask.dtype}"
    assert mask.shape == (batch, length), (
        f"the mask must have shape {[batch, length]}, not {list(mask.shape)}"
    )
    assert torch.isfinite(tokens).all(), "tokens must be finite"


def check_backbone(
    plugin: type[Backbone],
    options: Mapping[str, Any],
    *,
    channels: int,
    inputs: BackboneInputs | None = None,
    latents: int = 24,
) -> None:
    """Checks a diffusion backbone.

    Args:
        plugin: The class.
        options: What the config of a model would hold.
        channels: Channels of the latents.
        inputs: The conditioning of two samples, in float32; the two should differ.
        latents: The length, to be rounded up to a multiple of the backbone's.
    """
    settings = validate(plugin.Options, dict(options))
    module = with_random_weights(lambda: plugin.build(settings))
    inputs = BackboneInputs() if inputs is None else inputs
    length = -(-latents // module.length_multiple) * module.length_multiple
    x = torch.randn(2, channels, length, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([0.25, 0.75])
    before = (x.clone(), t.clone())

    with torch.inference_mode():
        out = module(x, t, inputs)
        assert out.shape == x.shape, f"{list(x.shape)} gave {list(out.shape)}"
        assert torch.isfinite(out).all(), "the prediction must be finite"
        assert torch.equal(x, before[0]), "the latents were changed in place"
        assert torch.equal(t, before[1]), "the times were changed in place"
        for index in range(2):
            part = slice(index, index + 1)
            alone = module(x[part], t[part], _sliced(inputs, part))
            _assert_same(out[part], alone, "a sample depends on the others of its batch")
        once = module(x, t, module.prepared(inputs))
        _assert_same(once, out, "what prepared() computes once changes the prediction")

    cause = None
    try:
        module.check(x[:1], _sliced(inputs, slice(1)))
    except ValueError as refusal:
        cause = refusal
    assert cause is None, f"check refuses what the network takes: {cause}"

    with torch.inference_mode():
        half = module.to(torch.bfloat16)(x.bfloat16(), t.bfloat16(), inputs)
        error = (half.float() - out).norm() / out.norm()
        assert error < 0.1, f"in bfloat16, the prediction is off by {error:.0%}"


def _sliced(inputs: BackboneInputs, part: slice) -> BackboneInputs:
    given = {field.name: getattr(inputs, field.name) for field in fields(inputs)}
    return replace(inputs, **{k: None if v is None else v[part] for k, v in given.items()})


def check_autoencoder(
    plugin: type[Autoencoder],
    *,
    encoder: Mapping[str, Any],
    decoder: Mapping[str, Any],
    latent_channels: int,
    audio_channels: int = 2,
) -> None:
    """Checks an autoencoder.

    Args:
        plugin: The class.
        encoder: What the encoder's ``config`` would hold.
        decoder: What the decoder's ``config`` would hold.
        latent_channels: Channels of the decoder's input.
        audio_channels: Channels of the audio.
    """
    encoder_settings = validate(plugin.EncoderOptions, dict(encoder))
    decoder_settings = validate(plugin.DecoderOptions, dict(decoder))
    encode = with_random_weights(lambda: plugin.build_encoder(encoder_settings))
    decode = with_random_weights(lambda: plugin.build_decoder(decoder_settings))

    samples = 8 * decode.ratio
    audio = torch.randn(2, audio_channels, samples, generator=torch.Generator().manual_seed(1))
    latents = torch.randn(2, latent_channels, 8, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        encoded = encode(audio)
        assert encoded.shape[-1] == 8, (
            f"{samples} samples gave {encoded.shape[-1]} latents at a ratio of {decode.ratio}"
        )
        decoded = decode(latents)
        shape = (2, audio_channels, samples)
        assert decoded.shape == shape, (
            f"latents {list(latents.shape)} gave {list(decoded.shape)}, not {list(shape)}"
        )
        assert torch.isfinite(decoded).all(), "decoded audio must be finite"
    decode.prepare()
    if isinstance(encode, AudioEncoder):
        encode.prepare()
    with torch.inference_mode():
        _assert_same(encode(audio), encoded, "prepare() changes what is encoded")
        _assert_same(decode(latents), decoded, "prepare() changes what is decoded")
    check_tiling(decode, latent_channels)


def check_tiling(decoder: AudioDecoder, latent_channels: int) -> None:
    """Checks that tiles that overlap by the decoder's ``reach`` decode to what the whole does.

    Args:
        decoder: With weights; turned to float64, so that no dependence hides in rounding.
        latent_channels: Channels of its input.
    """
    reach, ratio, tile = decoder.reach, decoder.ratio, 3
    if reach is None:
        return
    decoder = decoder.double()
    length = 2 * reach + 2 * tile
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn(1, latent_channels, length, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        whole = decoder(latents)
        for start in range(0, length - tile + 1, tile):
            left, end = max(start - reach, 0), start + tile
            part = decoder(latents[..., left : end + reach])
            wanted = whole[..., start * ratio : end * ratio]
            offset = (start - left) * ratio
            found = part[..., offset : offset + wanted.shape[-1]]
            error = (found - wanted).abs().max() / whole.abs().max()
            assert error < 1e-9, (
                f"latents {start} to {end - 1}, decoded with {reach} to each side, differ from"
                f" the whole decode by {error:.1e} of its peak: reach is too small"
            )


def check_bottleneck(
    plugin: type[Bottleneck], options: Mapping[str, Any] | None = None, *, channels: int
) -> None:
    """Checks a bottleneck.

    Args:
        plugin: The class.
        options: What its ``config`` would hold.
        channels: Channels of the encoder's output.
    """
    settings = validate(plugin.Options, dict(options or {}))
    module = with_random_weights(lambda: plugin.build(settings))
    x = torch.randn(2, channels, 8, generator=torch.Generator().manual_seed(1))
    before = x.clone()
    with torch.inference_mode():
        latents = module.encode(x, None)
        assert latents.dim() == 3, f"latents must have 3 dimensions, not {list(latents.shape)}"
        assert latents.shape[0] == 2, f"2 samples gave {latents.shape[0]}"
        assert latents.shape[2] == 8, f"8 latents became {latents.shape[2]}"
        assert torch.equal(x, before), "the encoder's output was changed in place"
        assert torch.equal(latents, module.encode(x, None)), "without a generator, runs differ"
        drawn = [module.encode(x, torch.Generator().manual_seed(4)) for _ in range(2)]
        assert torch.equal(*drawn), "two runs with the same seed differ"
        decoded = module.decode(latents)
        assert decoded.dim() == 3, f"decode gave {list(decoded.shape)}"
        assert torch.isfinite(decoded).all(), "decode must give finite values"


def _assert_same(found: Tensor, expected: Tensor, what: str) -> None:
    assert found.shape == expected.shape, f"{what}: {list(found.shape)}, {list(expected.shape)}"
    error = (found - expected).abs().max() / expected.abs().max().clamp(min=1e-12)
    assert error <= TOLERANCE, f"{what}: by {error:.1e} of the largest value"
