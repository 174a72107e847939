"""The conditioners: tensor names, agreement with the reference, and what they refuse."""

from __future__ import annotations

import gzip
import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
import pytest
import torch

from audiogen_core import torchaudio_shim
from audiogen_core.errors import InputError
from audiogen_core.identity import folder_fingerprint
from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.options import validate
from audiogen_core.testing.model_parts import check_conditioner, with_random_weights
from audiogen_core.testing.tiny_model import (
    tiny_config,
    write_tiny_model,
    write_tiny_text_encoder,
)
from audiogen_plugins.conditioners import pretrained
from audiogen_plugins.conditioners.int import IntConditioner
from audiogen_plugins.conditioners.list import ListConditioner
from audiogen_plugins.conditioners.lut import LookupConditioner
from audiogen_plugins.conditioners.number import NumberConditioner
from audiogen_plugins.conditioners.pre_encoded_latent import (
    PreEncodedLatentConditioner,
    read_embedding,
)
from audiogen_plugins.conditioners.t5 import REMEMBERED, T5Conditioner
from audiogen_plugins.conditioners.t5_encoder import T5Encoder
from tests.conftest import DATA, Command, local_model
from tests.plugins.reference import CASES, agreement, expected, with_seeded_weights


def built(
    plugin: type[Conditioner],
    options: dict[str, Any],
    output_dim: int = 8,
    folder: Path | None = None,
) -> Conditioner:
    """The conditioner of these options."""
    return plugin.build(validate(plugin.Options, options), BuildContext(output_dim, folder))


@torch.inference_mode()
def embed(module: Conditioner, *values: Any) -> Embedding:
    """Embeds a batch; sample i draws from seed i."""
    return module(values, [torch.Generator().manual_seed(i) for i in range(len(values))])


def refusal(plugin: type[Conditioner], value: Any, options: dict[str, Any]) -> str:
    """What `check` says about a value that it refuses."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is what is tested
        plugin.check(value, validate(plugin.Options, options))
    return str(caught.value)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    # The environment is read when the package is imported, which may have happened already.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def text_encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny text encoder, ``t5``, of 16 channels."""
    folder = tmp_path_factory.mktemp("text")
    write_tiny_text_encoder(folder / "t5", dim=16)
    return folder


@pytest.fixture
def write_array(tmp_path: Path) -> Callable[..., str]:
    """Writes an array as ``.npy`` and returns its path."""

    def write(array: Any, name: str = "embedding.npy") -> str:
        np.save(tmp_path / name, array, allow_pickle=True)
        return str(tmp_path / name)

    return write


# Agreement with the reference.


@pytest.mark.parametrize("name", ["stable_audio_open_1_0", "stable_audio_open_small"])
def test_public_models_have_the_tensors_of_their_checkpoints(name: str, tmp_path: Path) -> None:
    """Names and shapes are those of the public checkpoints; the text encoder is not in them."""
    folder = DATA / "model_configs"
    section = json.loads((folder / f"{name}.json").read_text("utf-8"))["model"]["conditioning"]
    tensors = json.loads(gzip.decompress((folder / f"{name}.state_dict.json.gz").read_bytes()))
    plugins: dict[str, type[Conditioner]] = {"t5": T5Conditioner, "number": NumberConditioner}
    found = {}
    for one in section["configs"]:
        options = one["config"]
        if one["type"] == "t5":
            # Building reads its config alone: this one has the public one's width.
            (tmp_path / "config.json").write_text('{"d_model": 768}')
            options = {**options, "t5_model_name": str(tmp_path)}
        with torch.device("meta"):
            module = built(plugins[one["type"]], options, section["cond_dim"])
        found |= {
            f"conditioner.conditioners.{one['id']}.{key}": list(value.shape)
            for key, value in module.state_dict().items()
        }
    assert found == {key: shape for key, shape in tensors.items() if key.startswith("conditioner.")}


@pytest.mark.parametrize(
    ("plugin", "values"),
    [
        (NumberConditioner, [-2, 0, 3.3, 14]),
        (IntConditioner, [0, 4, 9]),
        (ListConditioner, ["fast", "slow", "faster"]),
    ],
)
def test_single_tokens_agree_with_the_reference(
    plugin: type[Conditioner], values: list[Any]
) -> None:
    """Numbers, whole numbers and words are embedded as the reference implementation does."""
    module = with_seeded_weights(lambda: built(plugin, CASES[plugin.NAME]))
    embedding = embed(module, *values)
    assert agreement(embedding.tokens, expected(plugin.NAME)) >= 100
    assert embedding.mask.all()


def test_lookup_agrees_with_the_reference() -> None:
    """Special tokens, positions, projection and padding are as the reference has them."""
    options = {**CASES["lut"], "tokenizer_name": str(DATA / "tokenizer")}
    module = with_seeded_weights(lambda: built(LookupConditioner, options))
    embedding = embed(module, "jazz piano", "", "a <drop> " * 9)
    assert agreement(embedding.tokens, expected("lut")) >= 100
    assert torch.equal(embedding.mask, expected("lut/mask"))


# The contract, for every conditioner.


def test_number_contract() -> None:
    """Numbers outside the range, and what is no number, are refused."""
    check_conditioner(
        NumberConditioner,
        {"min_val": 0, "max_val": 512},
        good=[0, 30, 47.5, 512],
        bad=[-1, 513, float("nan"), float("inf"), "30", True, None, [3]],
    )


def test_int_contract() -> None:
    """A number is the index of its embedding, whatever the smallest one."""
    check_conditioner(
        IntConditioner,
        {"min_val": 2, "max_val": 9},
        good=[2, 5, 7.0],
        bad=[1, 8, 9, 2.5, True, "3", None, float("nan"), float("inf")],
    )


def test_list_contract() -> None:
    """Only the listed words are known."""
    check_conditioner(
        ListConditioner, {"options": ["slow", "fast"]}, good=["slow", "fast"], bad=["", 3, None]
    )


def test_lookup_contract(text_encoders: Path) -> None:
    """Any string can be embedded."""
    check_conditioner(
        LookupConditioner,
        {"tokenizer_name": "t5", "max_length": 6},
        good=["jazz", "", "a dark deep loop with loud heavy bass"],
        bad=[None, 3, ["jazz"]],
        folder=text_encoders,
    )


@pytest.mark.parametrize("options", [{}, {"project_out": True}])
def test_t5_contract(options: dict[str, Any], text_encoders: Path) -> None:
    """Any string can be embedded."""
    check_conditioner(
        T5Conditioner,
        {"t5_model_name": "t5", "max_length": 6, **options},
        good=["jazz", "", "a dark deep loop with loud heavy bass"],
        bad=[None, 3, ["jazz"]],
        folder=text_encoders,
    )


@pytest.mark.parametrize(
    "options",
    [{"pool_across_time": True}, {"sample_size": 4}, {"sample_size": 4, "random_crop": True}],
)
def test_pre_encoded_latent_contract(
    options: dict[str, Any], write_array: Callable[..., str]
) -> None:
    """Files of float arrays of the right width can be embedded."""
    numbers = np.random.default_rng(0).standard_normal((9, 5))
    check_conditioner(
        PreEncodedLatentConditioner,
        {"input_dim": 5, **options},
        good=[
            write_array(numbers.astype(np.float32), "long.npy"),
            write_array(numbers[:2], "short.npy"),
            write_array(np.asfortranarray(numbers.astype(">f2")), "other.npy"),
        ],
        bad=[None, 3, "", "nowhere.npy", write_array(numbers.T, "turned.npy")],
    )


# Numbers, whole numbers, words.


def test_numbers_out_of_range_are_told_the_range() -> None:
    """The message states what is allowed."""
    message = refusal(NumberConditioner, 600, {"min_val": 0, "max_val": 512})
    assert message == "must be a number from 0 to 512, not 600"


def test_unknown_words_are_told_the_nearest() -> None:
    """The message names the nearest word and all of them."""
    message = refusal(ListConditioner, "fats", {"options": ["slow", "fast"]})
    assert message == "'fats' is not known (did you mean 'fast'?); allowed: 'slow', 'fast'"


@pytest.mark.parametrize(
    ("plugin", "options", "message"),
    [
        (NumberConditioner, {"min_val": 3, "max_val": 3}, "min_val (3) must be below max_val (3)"),
        (IntConditioner, {"min_val": 9, "max_val": 11}, "no whole number can be embedded"),
        (ListConditioner, {"options": []}, "options: must have at least 1 item"),
        (PreEncodedLatentConditioner, {"input_dim": 5}, "sample_size is required unless"),
        (T5Conditioner, {"enable_grad": True}, "enable_grad: is not supported when true"),
        (T5Conditioner, {"max_len": 3}, "did you mean 'max_length'?"),
    ],
)
def test_options_that_cannot_work_are_errors(
    plugin: type[Conditioner], options: dict[str, Any], message: str
) -> None:
    """Every bad option is refused before anything is built, in words."""
    with pytest.raises(InputError) as caught:
        built(plugin, options)
    assert message in str(caught.value)


# Embeddings from files.


def test_pooling_projects_the_mean(write_array: Callable[..., str]) -> None:
    """One token holds the projected mean over time."""
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    options = {"input_dim": 3, "pool_across_time": True, "project_out": True}
    module = with_random_weights(lambda: built(PreEncodedLatentConditioner, options))
    tokens = embed(module, write_array(array)).tokens
    wanted = module.get_submodule("proj_out")(torch.from_numpy(array).mean(0))
    torch.testing.assert_close(tokens, wanted[None, None])


def test_padding_becomes_the_bias(write_array: Callable[..., str]) -> None:
    """Short arrays are padded before the projection, and all positions are meant."""
    options = {"input_dim": 3, "sample_size": 4}
    module = with_random_weights(lambda: built(PreEncodedLatentConditioner, options))
    embedding = embed(module, write_array(np.ones((1, 3), np.float32)))
    bias = module.get_parameter("proj_out.bias")
    torch.testing.assert_close(embedding.tokens[0, 1:], bias.expand(3, 8))
    assert embedding.mask.all()


def test_crops_start_at_the_first_row_unless_random(write_array: Callable[..., str]) -> None:
    """A random crop depends on its own sample's generator."""
    path = write_array(np.arange(100, dtype=np.float32)[:, None])
    options = {"input_dim": 1, "sample_size": 5}
    plain = built(PreEncodedLatentConditioner, options, output_dim=1)
    random = built(PreEncodedLatentConditioner, {**options, "random_crop": True}, output_dim=1)
    assert embed(plain, path).tokens[0, :, 0].tolist() == [0, 1, 2, 3, 4]
    starts = embed(random, *[path] * 8).tokens[:, 0, 0]
    assert len(set(starts.tolist())) > 4
    assert embed(random, path).tokens[0, 0, 0] == starts[0]


def test_a_random_crop_may_end_at_the_last_row(write_array: Callable[..., str]) -> None:
    """Every window can be drawn, the first and the last among them."""
    path = write_array(np.arange(3, dtype=np.float32)[:, None])
    options = {"input_dim": 1, "sample_size": 2, "random_crop": True}
    module = built(PreEncodedLatentConditioner, options, output_dim=1)
    starts = embed(module, *[path] * 20).tokens[:, 0, 0]
    assert set(starts.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("array", "held"),
    [
        (np.zeros((2, 4), np.float32), "float32 [2, 4]"),
        (np.zeros((1, 2, 5), np.float32), "float32 [1, 2, 5]"),
        (np.zeros(5, np.float32), "float32 [5]"),
        (np.zeros((0, 5), np.float32), "float32 [0, 5]"),
        (np.zeros((2, 5), np.int64), "int64 [2, 5]"),
        (np.zeros((2, 5), np.complex64), "complex64 [2, 5]"),
        (np.float32(3), "float32 []"),
    ],
)
def test_wrong_arrays_are_named_with_their_shape(
    array: Any, held: str, write_array: Callable[..., str]
) -> None:
    """The message tells the file, what it holds, and what is expected."""
    path = write_array(array)
    message = refusal(PreEncodedLatentConditioner, path, {"input_dim": 5, "sample_size": 2})
    assert path in message
    assert f"holds {held}; expected a float16, float32 or float64 array [T, 5]" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_values_that_are_not_finite_in_float32_are_refused(
    bad: float, write_array: Callable[..., str]
) -> None:
    """Neither NaN, nor infinity, nor what becomes infinity."""
    with pytest.raises(ValueError, match="NaN or infinity"):
        read_embedding(write_array(np.array([[1.0, bad]])), 2)


def test_pickles_are_never_loaded(write_array: Callable[..., str]) -> None:
    """An array of Python objects is refused."""
    path = write_array(np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="Python objects"):
        read_embedding(path, 1)


def test_a_header_that_claims_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    """Nothing is allocated for data that is not there."""
    path = tmp_path / "huge.npy"
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 5)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ValueError, match="cut short"):
        read_embedding(str(path), 5)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """A file that is no array, a folder and nothing at all are told apart."""
    (tmp_path / "text.npy").write_text("hello, this is no array at all")
    for name, message in (("text.npy", "not a .npy"), ("", "folder"), ("no.npy", "not exist")):
        with pytest.raises(ValueError, match=message):
            read_embedding(str(tmp_path / name), 5)


# Text encoders.


def test_t5_gives_the_text_encoders_hidden_states(text_encoders: Path) -> None:
    """Tokens are the last hidden states, of weights rounded to float16; padding is zero."""
    options = {"t5_model_name": "t5", "max_length": 12}
    module = built(T5Conditioner, options, 16, text_encoders)
    embedding = embed(module, "a jazz piece", "")
    assert embedding.tokens.dtype == torch.float32
    assert embedding.mask.sum(1).tolist() == [4, 1]
    assert (embedding.tokens[~embedding.mask] == 0).all()

    package = pretrained.transformers()
    with pretrained.quiet():
        model = package.T5EncoderModel.from_pretrained(text_encoders / "t5").half().float().eval()
        tokenizer = package.AutoTokenizer.from_pretrained(text_encoders / "t5")
    ids = tokenizer("a jazz piece", return_tensors="pt").input_ids
    with torch.inference_mode():
        wanted = model(input_ids=ids).last_hidden_state[0]
    torch.testing.assert_close(embedding.tokens[0, :4], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["relu", "gated-gelu", "gated-silu"])
@pytest.mark.parametrize("half", [False, True])
def test_t5_is_the_architecture_that_the_library_has(kind: str, half: bool, tmp_path: Path) -> None:
    """Of every kind and type, with far positions, padding, and a tokenizer of its own road."""
    write_tiny_text_encoder(tmp_path / "t5")
    package = pretrained.transformers()
    config = json.loads((tmp_path / "t5" / "config.json").read_text("utf-8"))
    config = {
        key: one for key, one in config.items() if key not in {"is_gated_act", "dense_act_fn"}
    }
    config |= {"feed_forward_proj": kind, "relative_attention_max_distance": 20}
    torch.manual_seed(0)
    with pretrained.quiet():
        theirs = package.T5EncoderModel(package.T5Config(**config)).eval()
        theirs.save_pretrained(tmp_path / "t5")
        tokenizer = package.AutoTokenizer.from_pretrained(tmp_path / "t5")
    dtype = torch.bfloat16 if half else torch.float32
    theirs = theirs.to(dtype) if half else theirs.half().float()
    module = built(T5Conditioner, {"t5_model_name": "t5", "max_length": 40}, 64, tmp_path)
    module.prepare(torch.device("cpu"), dtype)
    texts = ["a dark deep loop " * 7, "jazz", "", "a dark deep loop with loud heavy bass " * 9]
    embedding = embed(module, *texts)
    with torch.inference_mode(), pretrained.quiet():
        given = tokenizer(
            texts, padding="max_length", truncation=True, max_length=40, return_tensors="pt"
        )
        wanted = theirs(**given).last_hidden_state * given.attention_mask[..., None]
    assert torch.equal(embedding.mask, given.attention_mask.bool())
    close = 0.05 if half else 1e-5
    torch.testing.assert_close(embedding.tokens, wanted, atol=close, rtol=close)


def test_t5_holds_what_exceeds_16_bits(tmp_path: Path) -> None:
    """A state beyond the largest number of float16 is held at it, as the library holds it."""
    write_tiny_text_encoder(tmp_path / "t5")
    package = pretrained.transformers()
    with pretrained.quiet():
        theirs = package.T5EncoderModel.from_pretrained(tmp_path / "t5").eval()
        tokenizer = package.AutoTokenizer.from_pretrained(tmp_path / "t5")
        name = next(one for one in theirs.state_dict() if one.endswith("DenseReluDense.wo.weight"))
        theirs.get_parameter(name).data[3] = 30_000
        theirs.save_pretrained(tmp_path / "t5")
    theirs = theirs.half()
    module = built(T5Conditioner, {"t5_model_name": "t5", "max_length": 12}, 64, tmp_path)
    module.prepare(torch.device("cpu"), torch.float16)
    tokens = embed(module, "a dark deep loop").tokens
    with torch.inference_mode(), pretrained.quiet():
        given = tokenizer(
            ["a dark deep loop"], padding="max_length", max_length=12, return_tensors="pt"
        )
        states = theirs(**given, output_hidden_states=True)
        wanted = states.last_hidden_state * given.attention_mask[..., None]
    assert max(float(one.abs().max()) for one in states.hidden_states) > 60_000
    assert wanted.isfinite().all()
    torch.testing.assert_close(tokens, wanted, atol=0.01, rtol=0.01, check_dtype=False)


def test_t5_encodes_each_text_alone_and_equal_ones_once(text_encoders: Path) -> None:
    """To the last bit the same in any company; also when far more texts came between."""
    module = built(T5Conditioner, {"t5_model_name": "t5", "max_length": 9}, 16, text_encoders)
    first = embed(module, "a jazz piece").tokens
    together = embed(module, "", "a jazz piece", "loud bass", "a jazz piece").tokens
    assert torch.equal(together[1:2], first)
    assert torch.equal(together[1], together[3])
    embed(module, *(f"loud {number}" for number in range(200)))
    assert torch.equal(embed(module, "a jazz piece").tokens, first)
    other = built(T5Conditioner, {"t5_model_name": "t5", "max_length": 9}, 16, text_encoders)
    assert torch.equal(embed(other, "loud bass", "a jazz piece").tokens[1:], first)


def test_t5_lets_its_text_encoder_go_where_all_texts_are_known(
    text_encoders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are embedded to the same bits; another text loads it again, and many texts keep it."""
    loaded: list[ReferenceType[T5Encoder]] = []
    load = T5Encoder.load

    def watched(*arguments: Any) -> T5Encoder:
        encoder = load(*arguments)
        loaded.append(ref(encoder))
        return encoder

    monkeypatch.setattr(T5Encoder, "load", watched)
    options = {"t5_model_name": "t5", "max_length": 9}
    texts = ["a jazz piece", "", "loud bass", "a jazz piece"]
    plain = embed(built(T5Conditioner, options, 16, text_encoders), *texts, "rain").tokens
    module = built(T5Conditioner, options, 16, text_encoders)
    module.prepare(torch.device("cpu"), torch.bfloat16)
    module.prepare(torch.device("cpu"), torch.float32)
    module.foresee(texts)
    assert len(loaded) == 3
    assert loaded[-1]() is None
    assert torch.equal(embed(module, *texts).tokens, plain[:-1])
    assert len(loaded) == 3, "nothing was left to be embedded"
    assert torch.equal(embed(module, "rain").tokens, plain[-1:])
    module.foresee([str(number) for number in range(REMEMBERED + 1)])
    assert loaded[-1]() is not None


def test_t5_is_no_part_of_the_module(text_encoders: Path) -> None:
    """Loaded or not, the text encoder is in no state dict and among no parameters."""
    options = {"t5_model_name": "t5"}
    module = built(T5Conditioner, options, 16, text_encoders)
    module.prepare(torch.device("cpu"), torch.float32)
    assert not module.state_dict()
    assert not list(module.parameters())
    assert len(list(module.modules())) == 2  # itself and the missing projection


def test_t5_projects_where_sizes_differ(text_encoders: Path) -> None:
    """The projection is the only tensor; padding stays zero behind it."""
    options = {"t5_model_name": "t5", "max_length": 5}
    module = with_random_weights(lambda: built(T5Conditioner, options, 8, text_encoders))
    assert set(module.state_dict()) == {"proj_out.weight", "proj_out.bias"}
    embedding = embed(module, "jazz")
    assert embedding.tokens.shape == (1, 5, 8)
    assert (embedding.tokens[~embedding.mask] == 0).all()


def test_t5_follows_the_models_type(text_encoders: Path) -> None:
    """A model in 16 bits has its text encoder in 16 bits."""
    module = built(T5Conditioner, {"t5_model_name": "t5"}, 16, text_encoders)
    module.prepare(torch.device("cpu"), torch.bfloat16)
    assert embed(module, "jazz").tokens.dtype == torch.bfloat16


def test_t5_is_found_from_the_working_directory_first(
    text_encoders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then from the model config's folder; a folder without a config does not count."""
    write_tiny_text_encoder(tmp_path / "t5", dim=32)
    monkeypatch.chdir(tmp_path)
    options = {"t5_model_name": "t5"}
    assert not built(T5Conditioner, options, 32, text_encoders).state_dict()
    (tmp_path / "t5" / "config.json").unlink()
    assert not built(T5Conditioner, options, 16, text_encoders).state_dict()


def test_a_text_encoder_that_is_nowhere_is_an_error(tmp_path: Path) -> None:
    """The message lists what was tried."""
    with pytest.raises(InputError) as caught:
        built(T5Conditioner, {"t5_model_name": "no/where"}, folder=tmp_path)
    message = str(caught.value)
    assert "t5_model_name: 'no/where' was not found" in message
    assert str(tmp_path / "no/where") in message
    assert str(Path.cwd() / "no/where") in message
    assert "the Hugging Face Hub" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not valid JSON"), ("[]", "holds no JSON object"), ("{}", "is no T5")],
)
def test_a_config_of_something_else_is_an_error(content: str, message: str, tmp_path: Path) -> None:
    """What is found but unusable is named."""
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=message):
        built(T5Conditioner, {"t5_model_name": str(tmp_path)})


def test_what_cannot_be_loaded_is_an_error(text_encoders: Path, tmp_path: Path) -> None:
    """A folder without tokenizer, without weights, and with damaged ones."""
    module = None
    for names, message in (
        (["config.json"], "holds no tokenizer: none of 'tokenizer.json', "),
        (["tokenizer.json", "tokenizer_config.json"], "holds no weights: none of 'model.safete"),
        (["model.safetensors"], "cannot be loaded: "),
    ):
        for name in names:
            content = (text_encoders / "t5" / name).read_bytes()
            (tmp_path / name).write_bytes(content[:99] if name == "model.safetensors" else content)
        module = module or built(T5Conditioner, {"t5_model_name": str(tmp_path)}, 16)
        with pytest.raises(InputError, match=f"^t5_model_name: '{tmp_path}' {message}"):
            module.prepare(torch.device("cpu"), torch.float32)


def test_text_conditioners_tell_what_they_use(text_encoders: Path) -> None:
    """Of a local folder, the name, the full path and the content; the others say nothing."""
    folder = text_encoders / "t5"
    expected = {"name": "t5", "path": str(folder), "fingerprint": folder_fingerprint(folder)}
    text: list[tuple[type[Conditioner], str]] = [
        (T5Conditioner, "t5_model_name"), (LookupConditioner, "tokenizer_name")
    ]  # fmt: skip
    for plugin, key in text:
        assert built(plugin, {key: "t5"}, folder=text_encoders).identity() == expected
    assert built(NumberConditioner, {"min_val": 0, "max_val": 1}).identity() == {}


def test_a_tokenizer_that_is_nowhere_is_an_error(tmp_path: Path) -> None:
    """The message lists what was tried."""
    with pytest.raises(InputError, match=r"tokenizer_name: 'no/where' was not found; tried"):
        built(LookupConditioner, {"tokenizer_name": "no/where"}, folder=tmp_path)


def test_text_encoders_load_and_run_without_a_word(
    text_encoders: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No progress bar, log message or warning, even beyond the tokenizer's advised length."""
    tokenizer = text_encoders / "t5" / "tokenizer_config.json"
    advised = {**json.loads(tokenizer.read_text("utf-8")), "model_max_length": 4}
    tokenizer.write_text(json.dumps(advised), "utf-8")
    options = {"t5_model_name": "t5", "max_length": 64}
    module = built(T5Conditioner, options, 16, text_encoders)
    embedding = embed(module, "jazz " * 100)
    assert embedding.mask.sum() == 64
    assert capfd.readouterr() == ("", "")


def test_quiet_restores_what_it_changes() -> None:
    """A program that shows progress bars and messages itself goes on to do so."""
    logging = pretrained.transformers().utils.logging
    hub: Any = importlib.import_module("huggingface_hub.utils")

    def state() -> tuple[object, ...]:
        return (
            logging.is_progress_bar_enabled(),
            logging.get_verbosity(),
            hub.are_progress_bars_disabled(),
            hub.logging.get_verbosity(),
            warnings.filters[:],
        )

    before = state()
    with pretrained.quiet():
        assert not logging.is_progress_bar_enabled()
        assert hub.are_progress_bars_disabled()
    assert state() == before


# torchaudio, which transformers imports.


def test_a_torchaudio_that_cannot_load_is_seen_as_absent(tmp_path: Path) -> None:
    """Transformers then loads, and the reason is kept for the doctor command."""
    broken = tmp_path / "torchaudio"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise OSError('libcudart.so.13: not there')\n")
    program = (
        "from audiogen_core.torchaudio_shim import import_torchaudio, torchaudio_problem\n"
        "assert import_torchaudio() is None\n"
        "assert torchaudio_problem() == 'OSError: libcudart.so.13: not there'\n"
        "from transformers.utils import is_torchaudio_available\n"
        "assert not is_torchaudio_available()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_torchaudio_that_loads_is_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module itself, and no problem."""
    (tmp_path / "torchaudio.py").write_text("sound = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    torchaudio_shim._attempt.cache_clear()
    try:
        module = torchaudio_shim.import_torchaudio()
        assert module is not None
        assert module.sound
        assert torchaudio_shim.torchaudio_problem() is None
    finally:
        torchaudio_shim._attempt.cache_clear()
        monkeypatch.delitem(sys.modules, "torchaudio", raising=False)


def test_a_conditioner_can_be_wider_than_the_others(
    tmp_path: Path, audiogen: Command, write_config: Callable[..., Path]
) -> None:
    """``output_dim`` among its options is its own ``cond_dim``, and others have to fit it."""
    config = tiny_config()
    conditioning, network = config["model"]["conditioning"], config["model"]["diffusion"]["config"]
    start, total = (one for one in conditioning["configs"] if one["type"] == "number")
    # Only the global embedding joins tokens of different widths.
    config["model"]["diffusion"]["cross_attention_cond_ids"] = ["prompt"]
    total["config"]["output_dim"] = 48
    network["global_cond_dim"] = conditioning["cond_dim"] + 48
    folder = write_tiny_model(tmp_path / "wide", config)
    arguments = ["generate", *local_model(folder), "--generation-config", write_config()]
    result = audiogen(*arguments, "--device", "cpu")
    assert result.code == 0, result.err

    def told(change: Callable[[], None]) -> str:
        change()
        (folder / "model_config.json").write_text(json.dumps(config), encoding="utf-8")
        result = audiogen(*arguments, "--device", "cpu")
        assert result.code == 2
        return result.err

    assert "must be 112 (the output_dim of the global_cond_ids: 64, 48), not 128" in told(
        lambda: network.update(global_cond_dim=128)
    )
    assert "output_dim must be a whole number from 1 to 65536, not '48'" in told(
        lambda: start["config"].update(output_dim="48")
    )
