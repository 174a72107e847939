"""The diffusion transformer: tensor names, agreement with the reference, and bad options."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import torch

from audiogen_core.errors import InputError
from audiogen_core.interfaces.backbone import BackboneInputs
from audiogen_core.options import validate
from audiogen_core.testing.model_parts import check_backbone, with_random_weights
from audiogen_plugins.backbones.attention import RotaryEmbedding
from audiogen_plugins.backbones.dit import DiffusionTransformer
from tests.conftest import DATA
from tests.plugins.reference import CASES, agreement, expected, seeded, with_seeded_weights

BASE: dict[str, Any] = {
    "io_channels": 4,
    "embed_dim": 64,
    "depth": 2,
    "num_heads": 2,
    "cond_token_dim": 32,
    "global_cond_dim": 6,
}
PREFIX = "model.model."


def built(changes: dict[str, Any] | None = None, **more: Any) -> DiffusionTransformer:
    """The module of the base options with changes."""
    options = {**BASE, **(changes or {}), **more}
    return DiffusionTransformer.build(validate(DiffusionTransformer.Options, options))


def inputs_of(options: dict[str, Any]) -> BackboneInputs:
    """The conditioning inputs that a model of these options takes, for two samples."""

    def given(name: str, *shape: int) -> torch.Tensor | None:
        return seeded(name, shape) if 0 not in shape else None

    return BackboneInputs(
        cross_attention=given("cross", 2, 5, options["cond_token_dim"]),
        global_embedding=given("global", 2, options["global_cond_dim"]),
        prepend=given("tokens", 2, 3, options.get("prepend_cond_dim", 0)),
        input_concat=given("concat", 2, options.get("input_concat_dim", 0), 7),
    )


@pytest.mark.parametrize("name", ["stable_audio_open_1_0", "stable_audio_open_small"])
def test_public_models_have_the_tensors_of_their_checkpoints(name: str) -> None:
    """Names and shapes are those of the public checkpoints, without one more or less."""
    folder = DATA / "model_configs"
    config = json.loads((folder / f"{name}.json").read_text("utf-8"))
    tensors = json.loads(gzip.decompress((folder / f"{name}.state_dict.json.gz").read_bytes()))
    options = validate(DiffusionTransformer.Options, config["model"]["diffusion"]["config"])
    with torch.device("meta"):
        model = DiffusionTransformer.build(options)
    found = {PREFIX + key: list(value.shape) for key, value in model.state_dict().items()}
    assert found == {key: shape for key, shape in tensors.items() if key.startswith(PREFIX)}


@pytest.mark.parametrize("case", CASES["dit"])
def test_forward_agrees_with_the_reference(case: str) -> None:
    """Every option computes what the reference implementation computes, in float32."""
    changes = CASES["dit"][case]
    model = with_seeded_weights(lambda: built(changes))
    with torch.inference_mode():
        out = model(
            seeded("x", (2, 4, 12)), torch.tensor([0.2, 0.9]), inputs_of({**BASE, **changes})
        )
    assert agreement(out, expected(f"dit/{case}")) >= 100


@pytest.mark.parametrize(
    "case", ["prepend", "adaln-memory", "differential-grouped", "input-concat", "sinusoidal"]
)
def test_contract(case: str) -> None:
    """The contract of backbones holds."""
    options = {**BASE, **CASES["dit"][case]}
    check_backbone(DiffusionTransformer, options, channels=4, inputs=inputs_of(options))


@pytest.mark.parametrize(
    "attention",
    [
        {},
        *({"qk_norm": name} for name in ("ln", "l2", "dyt")),
        {"differential": True, "feat_scale": True},
    ],
)
def test_zero_tokens_are_left_out_with_the_same_result(attention: dict[str, Any]) -> None:
    """Padding in between and at the end, whole rows of it, and none: as if all were computed.

    What is not quite zero is computed, and makes the same; whatever stands before in the batch.
    """
    model = with_seeded_weights(lambda: built(attn_kwargs=attention))
    tokens = seeded("cross", (4, 9, BASE["cond_token_dim"]))
    tokens[0, 2:8] = 0
    tokens[1, 5:] = 0
    tokens[3] = 0
    x, t = seeded("x", (4, 4, 16)), torch.tensor([0.1, 0.4, 0.6, 0.9])
    pooled = seeded("global", (4, BASE["global_cond_dim"]))
    with torch.inference_mode():
        for rows in ([0, 1, 3], [0, 1, 2, 3], [3, 0], [3]):
            given = BackboneInputs(tokens[rows], pooled[rows])
            prepared = model.prepared(given)
            whole = BackboneInputs(tokens[rows].where(tokens[rows] != 0, 1e-30), pooled[rows])
            wanted = model(x[rows], t[rows], whole)
            for found in (model(x[rows], t[rows], given), model(x[rows], t[rows], prepared)):
                torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
        nothing = model.prepared(BackboneInputs(tokens[[3]], pooled[[3]]))
        assert not getattr(nothing, "contexts", None)
    # In training all are computed, which is nearly the same.
    trained = model(x, t, BackboneInputs(tokens, pooled))
    assert trained.requires_grad
    counts = []
    for learning in (True, False):
        with torch.inference_mode(not learning):
            (context, *_) = model.prepared(BackboneInputs(tokens[:2], pooled[:2])).contexts
            counts.append(context.values.shape[2])
    assert counts == [9, 6]
    with torch.inference_mode():
        again = model(x, t, BackboneInputs(tokens, pooled))
    torch.testing.assert_close(trained.detach(), again, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("filled", [(1, 12), (30, 60), (127, 3)])
def test_zero_tokens_weigh_what_they_did(dtype: torch.dtype, filled: tuple[int, int]) -> None:
    """All tokens together count as many as there were, to a thousandth, in 16 bits, too."""
    tokens = torch.zeros(2, 130, BASE["cond_token_dim"])
    for row, count in zip(tokens, filled, strict=True):
        row[:count] = 1
    module = with_random_weights(built).to(dtype)
    with torch.inference_mode():
        (context, *_) = module.prepared(BackboneInputs(tokens)).contexts
    counted = context.weights.double().exp().sum(-1)
    torch.testing.assert_close(counted, torch.full_like(counted, 130), rtol=1e-3, atol=0)


def test_patches_set_the_length_multiple() -> None:
    """Lengths must be a multiple of the patch size, and others are refused."""
    model = with_random_weights(lambda: built(patch_size=3))
    assert model.length_multiple == 3
    with pytest.raises(ValueError, match="16 latents are no multiple of 3"):
        model(torch.zeros(1, 4, 16), torch.zeros(1), BackboneInputs())


def test_timestep_can_be_joined_in_several_channels() -> None:
    """The reference manages one channel only; each more is constant over the latents too."""
    model = with_random_weights(
        lambda: built(timestep_cond_type="input_concat", timestep_embed_dim=5)
    )
    assert model.preprocess_conv.in_channels == 9
    out = model(torch.zeros(2, 4, 6), torch.tensor([0.1, 0.9]), BackboneInputs())
    assert not torch.allclose(out[0], out[1])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (BackboneInputs(prepend=torch.zeros(1, 2, 8)), "takes no prepend conditioning"),
        (BackboneInputs(input_concat=torch.zeros(1, 2, 8)), "must have 0 channels, not 2"),
    ],
)
def test_conditioning_that_a_model_has_no_place_for_is_an_error(
    inputs: BackboneInputs, message: str
) -> None:
    """Nothing is dropped in silence."""
    model = with_random_weights(built)
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(1, 4, 8), torch.zeros(1), inputs)


def test_missing_channels_are_an_error() -> None:
    """A model that was built for joined channels says so when there are none."""
    model = with_random_weights(lambda: built(input_concat_dim=3))
    with pytest.raises(ValueError, match="must have 3 channels, not 0"):
        model(torch.zeros(1, 4, 8), torch.zeros(1), BackboneInputs())


def test_sequences_beyond_the_absolute_positions_are_an_error() -> None:
    """The message names both lengths."""
    model = with_random_weights(lambda: built(use_abs_pos_emb=True, abs_pos_emb_max_length=8))
    with pytest.raises(ValueError, match=r"9 positions; .* ends at 8"):
        model(torch.zeros(1, 4, 8), torch.zeros(1), BackboneInputs())


def test_rotary_angles_stay_exact_in_16_bits() -> None:
    """A model in bfloat16 turns queries and keys by the angles of float32."""
    wide, narrow = RotaryEmbedding(32), RotaryEmbedding(32).to(torch.bfloat16)
    assert narrow.inv_freq.dtype == torch.bfloat16
    for exact, cast in zip(wide(1000), narrow(1000), strict=True):
        assert torch.equal(exact, cast)


def test_rotary_angles_are_computed_once_a_length() -> None:
    """All layers and steps share them."""
    rotary = RotaryEmbedding(32)
    assert rotary(10).cos is rotary(10).cos
    assert len(rotary(11).cos) == 11


def test_stored_frequencies_are_used() -> None:
    """A checkpoint's own frequencies count, where they have their full precision."""
    rotary = RotaryEmbedding(32)
    rotary.load_state_dict({"inv_freq": torch.zeros(16)})
    assert torch.equal(rotary(5).cos, torch.ones(5, 16))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 3}, "embed_dim (64) must be a multiple of num_heads (3)"),
        ({"num_heads": 4}, "embed_dim / num_heads is 16, but rotary_pos_emb turns 32 channels"),
        ({"project_cond_tokens": False, "cond_token_dim": 40}, "must divide into heads of 32"),
        ({"project_cond_tokens": False, "cond_token_dim": 96}, "must divide into heads of 32"),
        ({"project_global_cond": False}, "global_cond_dim (6) must equal embed_dim (64)"),
        ({"timestep_cond_type": "input_concat"}, "needs timestep_embed_dim"),
        ({"use_sinusoidal_emb": True, "use_abs_pos_emb": True}, "exclude each other"),
        ({"ff_kwargs": {"conv_kernel_size": 4}}, "conv_kernel_size: must be odd"),
        ({"causal": True}, "causal: is not supported when set to True"),
        ({"sliding_window": [31, 32]}, "sliding_window: is not supported"),
        ({"add_rope": True}, "add_rope: is not supported"),
        ({"transformer_type": "x-transformers"}, "'x-transformers' is not allowed"),
        ({"attn_kwargs": {"qk_norms": "ln"}}, "did you mean 'qk_norm'?"),
        ({"depth": 0}, "must be greater than 0"),
        ({"embed_dims": 64}, "did you mean 'embed_dim'?"),
    ],
)
def test_options_that_cannot_work_are_errors(changes: dict[str, Any], message: str) -> None:
    """Every bad option is refused before anything is built, in words."""
    with pytest.raises(InputError) as caught:
        built(changes)
    assert message in str(caught.value)


def test_defaults_of_unsupported_options_are_accepted() -> None:
    """A config that spells the defaults out is a good one."""
    built(causal=False, sliding_window=None, add_rope=False, zero_init_branch_outputs=False)


@pytest.mark.parametrize("narrow", [torch.float16, torch.bfloat16])
def test_frequencies_of_a_checkpoint_in_16_bits_are_exact(narrow: torch.dtype) -> None:
    """Computing in float32 then turns by the angles of float32, as computing in 16 bits does."""
    exact, loaded = RotaryEmbedding(32), RotaryEmbedding(32)
    rounded = exact.inv_freq.to(narrow).float()
    assert not torch.equal(rounded, exact.inv_freq)
    loaded.load_state_dict({"inv_freq": rounded})
    for one, other in zip(exact(1000), loaded(1000), strict=True):
        assert torch.equal(one, other)
