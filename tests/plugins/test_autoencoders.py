"""Oobleck: tensor names, agreement with the reference, its reach, and folded weights."""

from __future__ import annotations

import gzip
import json
import math
from functools import partial
from typing import Any

import pytest
import torch

from audiogen_core.errors import InputError
from audiogen_core.interfaces.autoencoder import AudioDecoder
from audiogen_core.interfaces.bottleneck import Bottleneck
from audiogen_core.models.pretransform import Pretransform
from audiogen_core.options import PluginOptions, validate
from audiogen_core.testing.model_parts import (
    check_autoencoder,
    check_tiling,
    with_random_weights,
)
from audiogen_plugins.autoencoders import oobleck
from audiogen_plugins.autoencoders.layers import NormedConv
from audiogen_plugins.autoencoders.oobleck import (
    Oobleck,
    OobleckDecoder,
    OobleckEncoder,
    decoder_reach,
)
from tests.conftest import DATA
from tests.plugins.reference import CASES, agreement, expected, seeded, with_seeded_weights

SHARED: dict[str, Any] = {"channels": 4, "c_mults": [1, 2], "strides": [2, 4], "latent_dim": 3}


def encoder_of(changes: dict[str, Any]) -> OobleckEncoder:
    """An encoder of the small base options with changes, less those that only decoders have."""
    only_decoder = {"use_nearest_upsample", "final_tanh"}
    options = {k: v for k, v in {**SHARED, **changes}.items() if k not in only_decoder}
    return Oobleck.build_encoder(validate(Oobleck.EncoderOptions, options))


def decoder_of(changes: dict[str, Any]) -> OobleckDecoder:
    """A decoder of the small base options with changes."""
    return Oobleck.build_decoder(validate(Oobleck.DecoderOptions, {**SHARED, **changes}))


@pytest.mark.parametrize("side", ["encoder", "decoder"])
@pytest.mark.parametrize("name", ["stable_audio_open_1_0", "stable_audio_open_small"])
def test_public_models_have_the_tensors_of_their_checkpoints(name: str, side: str) -> None:
    """Names and shapes are those of the public checkpoints, without one more or less."""
    folder = DATA / "model_configs"
    config = json.loads((folder / f"{name}.json").read_text("utf-8"))
    tensors = json.loads(gzip.decompress((folder / f"{name}.state_dict.json.gz").read_bytes()))
    section = config["model"]["pretransform"]["config"][side]["config"]
    with torch.device("meta"):
        if side == "encoder":
            network = Oobleck.build_encoder(validate(Oobleck.EncoderOptions, section))
        else:
            network = Oobleck.build_decoder(validate(Oobleck.DecoderOptions, section))
    prefix = f"pretransform.model.{side}."
    found = {prefix + key: list(value.shape) for key, value in network.state_dict().items()}
    assert found == {key: shape for key, shape in tensors.items() if key.startswith(prefix)}
    assert network.ratio == 2048


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("case", CASES["oobleck"])
@torch.inference_mode()
def test_networks_agree_with_the_reference(case: str, folded: bool) -> None:
    """Both directions compute what the reference implementation computes, in float32."""
    changes = CASES["oobleck"][case]
    encoder = with_seeded_weights(lambda: encoder_of(changes))
    decoder = with_seeded_weights(lambda: decoder_of(changes))
    if folded:
        encoder.prepare()
        decoder.prepare()
    encoded = encoder(seeded("audio", (2, 2, 12 * encoder.ratio)))
    decoded = decoder(seeded("latents", (2, 3, 9)))
    assert agreement(encoded, expected(f"oobleck/{case}/encoded")) >= 100
    assert agreement(decoded, expected(f"oobleck/{case}/decoded")) >= 100


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("snake", [False, True])
def test_contract(snake: bool, nearest: bool) -> None:
    """The contract of autoencoders holds."""
    check_autoencoder(
        Oobleck,
        encoder={**SHARED, "use_snake": snake},
        decoder={**SHARED, "use_snake": snake, "use_nearest_upsample": nearest},
        latent_channels=3,
    )


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("strides", [[1, 4], [3, 5], [2, 4, 8], [7], [1]])
def test_reach_is_exact(strides: list[int], nearest: bool) -> None:
    """A latent within reach on the wider side counts, and one beyond it does not."""
    options = {
        "c_mults": [1] * len(strides),
        "strides": strides,
        "use_nearest_upsample": nearest,
        "use_snake": True,
    }
    decoder = with_random_weights(lambda: decoder_of(options)).double()
    decoder.prepare()
    reach, ratio = decoder.reach, decoder.ratio
    assert reach is not None
    centre = reach + 1
    latents = seeded("reach", (1, 3, 2 * centre + 1)).double()

    @torch.inference_mode()
    def change(offset: int) -> float:
        changed = latents.clone()
        changed[..., centre + offset] += 3
        difference = (decoder(changed) - decoder(latents)).abs()
        return float(difference[..., centre * ratio : (centre + 1) * ratio].max())

    assert max(change(-reach), change(reach)) > 0
    assert max(change(-reach - 1), change(reach + 1)) == 0


@pytest.mark.parametrize("case", CASES["oobleck"])
def test_tiles_decode_to_the_whole(case: str) -> None:
    """Tiles that overlap by the reach give the same audio, odd strides or not."""
    check_tiling(with_seeded_weights(lambda: decoder_of(CASES["oobleck"][case])), 3)


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("strides", [[1, 4], [3, 5], [2, 4, 8, 3], [7], [1]])
@pytest.mark.parametrize("piece", [1, 7])
def test_late_blocks_go_over_pieces_to_the_same_audio(
    strides: list[int], nearest: bool, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the pieces are, also for a batch."""
    options = {
        "c_mults": [1] * len(strides),
        "strides": strides,
        "use_nearest_upsample": nearest,
        "use_snake": True,
    }
    decoder = with_random_weights(lambda: decoder_of(options)).double()
    decoder.prepare()
    latents = seeded("pieces", (2, 3, 40)).double()
    with torch.inference_mode():
        monkeypatch.setattr(oobleck, "CACHE", 2**40)
        whole = decoder(latents)
        size = 2 * 8 * SHARED["channels"] * math.prod(strides[: oobleck.LATE_BLOCKS])
        monkeypatch.setattr(oobleck, "CACHE", piece * size)
        found = decoder(latents)
    assert found.shape == whole.shape
    assert (found - whole).abs().max() < 1e-12 * whole.abs().max()


def test_tiling_check_finds_a_reach_that_is_too_small() -> None:
    """The contract check is no empty promise."""
    decoder = with_random_weights(lambda: decoder_of({"use_snake": True}))
    assert decoder.reach is not None
    decoder.reach -= 1
    with pytest.raises(AssertionError, match="reach is too small"):
        check_tiling(decoder, 3)


@pytest.mark.parametrize("strides", [[2, 4], [3, 5], [2, 3, 4]])
def test_recordings_are_encoded_in_pieces_to_the_same_latents(
    strides: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder's reach is exact: with one latent less, latents differ."""
    monkeypatch.setattr(oobleck, "ENCODED", 2)
    options = {"strides": strides, "c_mults": [1] * len(strides), "use_snake": True}
    encoder = with_random_weights(lambda: encoder_of(options)).double()
    length = 2 * encoder.reach + 7
    generator = torch.Generator().manual_seed(1)
    audio = torch.randn(1, 2, length * encoder.ratio, generator=generator, dtype=torch.float64)
    whole = encoder.requires_grad_(requires_grad=False)(audio)
    scale = whole.abs().max()
    with torch.no_grad():
        assert (encoder(audio) - whole).abs().max() < 1e-12 * scale
        encoder.reach -= 1
        assert (encoder(audio) - whole).abs().max() > 1e-9 * scale


def test_reach_of_the_public_models() -> None:
    """Ten latents, about half a second, surround what a tile keeps."""
    assert decoder_reach([2, 4, 4, 8, 8]) == 10


def test_folding_frees_length_and_direction() -> None:
    """After it, a convolution holds one weight, and folding again changes nothing."""
    for transposed, taps in ((False, 7), (True, 8), (True, 12)):
        conv = with_random_weights(
            partial(NormedConv, 3, 5, taps, stride=4, padding=2, transposed=transposed)
        )
        x = seeded("x", (2, 3, 20))[:, :, None]
        before = conv(x)
        conv.fold()
        assert set(conv.state_dict()) == {"weight", "bias"}
        torch.testing.assert_close(conv(x), before, atol=1e-5, rtol=1e-5)
        conv.fold()
        torch.testing.assert_close(conv(x), before, atol=1e-5, rtol=1e-5)


def test_folding_in_16_bits_rounds_once() -> None:
    """The product is computed in float32 and is as near as the type allows."""
    conv = with_random_weights(lambda: NormedConv(16, 16, 7))
    narrow = with_random_weights(lambda: NormedConv(16, 16, 7)).to(torch.bfloat16)
    assert narrow.weight_g is not None
    assert narrow.weight_v is not None
    conv.load_state_dict({k: v.float() for k, v in narrow.state_dict().items()})
    conv.fold()
    narrow.fold()
    assert conv.weight is not None
    assert narrow.weight is not None
    assert torch.equal(narrow.weight, conv.weight.to(torch.bfloat16))


@pytest.mark.parametrize("dilation", [1, 3, 9])
@pytest.mark.parametrize("length", [1, 17, 18, 400])
def test_wide_convolutions_go_through_spectra_to_the_same_result(
    length: int, dilation: int
) -> None:
    """Folded on a CPU, they are as near to float64 as the sums over the taps are, and nearer."""
    conv = with_random_weights(
        lambda: NormedConv(128, 192, 7, padding=3 * dilation, dilation=dilation)
    )
    x = seeded("signal", (2, 128, 1, length)).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        exact = conv.double()(x.double())
        plain = conv.float()(x)
        conv.fold()
        made = conv(x)
    assert conv.fourier is not None
    assert conv.weight is conv.weight_v is None
    assert made.shape == exact.shape
    assert made.stride(1) == 1, "the channels of a sample lie together"
    error, usual = ((one - exact).square().mean().sqrt() for one in (made, plain))
    assert error < 2 * usual < 1e-4 * exact.std()


def test_inputs_are_left_alone() -> None:
    """What is computed in place is never what the caller gave."""
    decoder = with_random_weights(lambda: decoder_of({"use_snake": True}))
    latents = seeded("latents", (1, 3, 4))
    before = latents.clone()
    decoder(latents)
    assert torch.equal(latents, before)


def test_gradients_reach_the_weights() -> None:
    """The in-place operations do not break training."""
    decoder = with_random_weights(lambda: decoder_of({"use_snake": True}))
    decoder(seeded("latents", (1, 3, 4))).square().sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"c_mults": [1, 2, 4]}, "c_mults (3) and strides (2) must be of equal length"),
        ({"antialias_activation": True}, "antialias_activation: is not supported when true"),
        ({"strides": [2, 0]}, "strides[1]: must be greater than 0"),
        ({"in_channels": 2}, "in_channels: unknown key"),
        ({"use_snakes": True}, "did you mean 'use_snake'?"),
    ],
)
def test_options_that_cannot_work_are_errors(changes: dict[str, Any], message: str) -> None:
    """Every bad option is refused before anything is built, in words."""
    with pytest.raises(InputError) as caught:
        decoder_of(changes)
    assert message in str(caught.value)


class Patches(AudioDecoder):
    """Latents that are pieces of audio, put one after the other: no weights at all."""

    ratio = 4

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """As the interface says."""
        return latents.mT.flatten(1)[:, None]


class Scaled(Bottleneck):
    """A bottleneck with a weight of its own."""

    NAME = "scaled"

    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.nn.Linear(1, 1, bias=False)

    @classmethod
    def build(cls, options: PluginOptions) -> Scaled:
        """As the interface says."""
        del options
        return cls()

    def encode(self, latents: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """As the interface says."""
        del generator
        mixed: torch.Tensor = self.mix(latents[..., None])[..., 0]
        return mixed

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """As the interface says."""
        return latents


def test_networks_without_weights_code_and_bottlenecks_see_their_own_type() -> None:
    """Where nothing says a type, it is float32; one that has 16-bit weights gets 16 bits."""
    pretransform = Pretransform(decoder=Patches(), bottleneck=Scaled().to(torch.bfloat16))
    pretransform.encoder = torch.nn.Unflatten(2, (-1, 4))
    audio = torch.arange(8.0).reshape(1, 1, 8)
    latents = pretransform.encode(audio, [torch.Generator()])
    assert (latents.dtype, latents.numel()) == (torch.float32, 8)
    pieces = audio.reshape(1, 2, 4).mT
    assert torch.equal(pretransform.decode(pieces), audio)


def test_an_encoder_is_folded_once_and_not_before_it_is_needed() -> None:
    """It takes time and memory, and most runs encode nothing."""
    encoder = with_seeded_weights(lambda: encoder_of({})).requires_grad_(requires_grad=False)
    decoder = with_seeded_weights(lambda: decoder_of({}))
    pretransform = Pretransform(decoder=decoder)
    pretransform.encoder = encoder
    convolutions = [one for one in encoder.modules() if isinstance(one, NormedConv)]
    assert all(one.weight_g is not None for one in convolutions)
    audio = seeded("audio", (1, 2, 64))
    with torch.inference_mode():
        wanted = encoder(audio)
    for _ in range(2):
        found = pretransform.encode(audio, [torch.Generator()])
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
        assert all(one.weight_g is None for one in convolutions)


def test_kernels_as_long_as_a_transform_are_plain_sums() -> None:
    """Upsampling by repetition and a wide stride has kernels of which no transform makes less."""
    for stride in (8, 16):
        conv = with_random_weights(partial(NormedConv, 128, 128, 2 * stride, padding=stride))
        x = seeded("x", (1, 128, 50))[:, :, None]
        before = conv(x)
        conv.fold()
        assert conv.fourier is None
        torch.testing.assert_close(conv(x), before, atol=1e-4, rtol=1e-4)
