"""``audiogen models``: list, show, pull and convert."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from audiogen_core.default_model import NAME
from audiogen_core.models.catalog import KNOWN
from audiogen_core.testing.encoders import decode
from audiogen_core.testing.tiny_model import tiny_config
from tests.conftest import DATA, Command, write_embedding_model
from tests.core.test_hub import MODEL, TEXT, Machine, arguments, with_text
from tests.hub_server import Hub

ROUNDING = 1e-3
"""How far sounds at full scale may differ: where weights lie in memory decides how sums round."""

WriteConfig = Callable[..., Path]
V_SAMPLERS = {
    "k-heun", "k-lms", "k-dpmpp-2s-ancestral", "k-dpm-2", "k-dpm-fast", "k-dpm-adaptive",
    "dpmpp-2m", "dpmpp-2m-sde", "dpmpp-3m-sde", "v-ddim", "v-ddim-cfgpp",
}  # fmt: skip


@pytest.fixture
def machine(tiny_model: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine whose cache is empty, and a Hub with the tiny model and its text encoder."""
    with Hub() as hub:
        weights = (tiny_model / "model.safetensors").read_bytes()
        hub.add(MODEL, {"model_config.json": with_text(TEXT), "model.safetensors": weights})
        hub.add(TEXT, {path.name: path.read_bytes() for path in (tiny_model / "t5").iterdir()})
        yield Machine(hub, tmp_path / "home")


@pytest.mark.slow
def test_a_model_of_the_hub(machine: Machine, write_config: WriteConfig) -> None:
    """Shown from its config alone, pulled whole, listed, and generated with offline."""
    hub = machine.hub
    commit = hub.repositories[MODEL].refs["main"]
    shown, listed, pulled, listed_again, again = machine.commands([
        ["models", "show", MODEL, "--json"], ["models", "list", "--json"],
        ["models", "pull", MODEL],
        ["models", "list", "--json"], ["models", "show", MODEL, "--json"],
    ])  # fmt: skip
    files = [one.path for one in hub.requests if "/resolve/" in one.path]
    before = files[: files.index(next(path for path in files if TEXT in path))]
    assert {path.rpartition("/")[2] for path in before} == {"model_config.json"}
    description = json.loads(shown.out)
    assert description["checkpoint"] is None
    assert description["parameters"].keys() == {"diffusion", "decoder", "encoder"}
    default, cached, *known = json.loads(listed.out)
    assert (default["name"], default["where"]) == (NAME, "default")
    assert (cached["name"], cached["where"], cached["revision"]) == (MODEL, "incomplete", commit)
    assert [(one["name"], one["where"]) for one in known] == [(one, "on the Hub") for one in KNOWN]
    assert (pulled.code, "error" in pulled.err) == (0, False), pulled.err
    assert Path(pulled.out.strip()).read_bytes()[:8] != b""
    assert commit in pulled.out
    found = json.loads(listed_again.out)[1]
    assert (found["where"], found["refs"]) == ("cached", ["main"])
    assert found["bytes"] > Path(pulled.out.strip()).stat().st_size
    stored = json.loads(again.out)
    assert stored["checkpoint"] == pulled.out.strip()
    counts = description["parameters"]
    assert {part: stored["parameters"][part] for part in counts} == counts

    hub.requests.clear()
    made, offline = machine.commands(
        [arguments(write_config()), ["models", "show", MODEL]], HF_HUB_OFFLINE="1"
    )
    assert (made.code, offline.code) == (0, 0), made.err + offline.err
    assert Path(made.out.strip()).stat().st_size > 1000
    assert hub.requests == []


def test_what_cannot_be_pulled(machine: Machine) -> None:
    """One message and an exit code: no such repository or revision, no model, no weights."""
    machine.hub.add("acme/empty", {"README.md": b""})
    machine.hub.add("acme/half", {"model_config.json": with_text(TEXT)})
    messages = {
        ("acme/nothing",): "acme/nothing: no such repository",
        (MODEL, "--revision", "v9"): f"{MODEL}: revision 'v9' does not exist",
        ("acme/empty",): "acme/empty: the repository holds no model_config.json",
        ("acme/half",): "acme/half: the repository holds neither model.safetensors nor model.ckpt",
    }
    results = machine.commands([["models", "pull", *one, "--quiet"] for one in messages])
    for result, message in zip(results, messages.values(), strict=True):
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"error: {message}")


def test_the_list_is_a_table(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In 80 columns, with a cache that is not there."""
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(tmp_path / "no"))
    result = audiogen("models", "list")
    assert (result.code, result.err) == (0, "")
    header, default, *others = result.out.splitlines()
    assert header.split() == ["NAME", "WHERE", "REVISION", "SIZE"]
    assert default.split() == [NAME, "default", "23.6", "MB"]
    assert [line.split()[0] for line in others] == list(KNOWN)
    assert max(map(len, result.out.splitlines())) <= 80


def test_a_cache_that_is_a_file_is_one_message(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the variable names."""
    (tmp_path / "file").touch()
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(tmp_path / "file"))
    result = audiogen("models", "list")
    assert (result.code, result.out) == (1, "")
    assert "the Hub's cache cannot be read: is no folder" in result.err


def test_a_local_model_is_shown(audiogen: Command, tmp_path: Path) -> None:
    """Objective, samplers that fit, ids with types and ranges, lengths, parameters, memory."""
    folder = write_embedding_model(tmp_path / "model")
    result = audiogen("models", "show", folder)
    assert (result.code, result.err) == (0, "")
    assert max(len(line) for line in result.out.splitlines() if "/" not in line) <= 80
    words = " ".join(result.out.split())
    for text in (
        "objective v sampler dpmpp-3m-sde by default; fit: k-heun, ",
        "audio 44100 Hz, 2 channels, up to 2.2 seconds",
        "seconds_total: number, cross-attention, global min_val 0.0, max_val 512.0",
        "audio: pre_encoded_latent, cross-attention; reads 'audio_prompt' where it is left out",
        "input_dim 3, pool_across_time true",
    ):
        assert text in words
    data = json.loads(audiogen("models", "show", folder / "model_config.json", "--json").out)
    assert set(data["samplers"]) == V_SAMPLERS
    assert data["seconds"] == pytest.approx(98304 / 44100)
    tensors = load_file(folder / "model.safetensors")
    assert sum(data["parameters"].values()) == sum(one.numel() for one in tensors.values())
    needed = sum(one.numel() for name, one in tensors.items() if ".encoder." not in name)
    assert data["memory"]["float32"]["weights"] == 4 * needed
    assert data["memory"]["float16"]["weights"] == 2 * needed
    assert data["memory"]["float32"]["sampling"] == 2 * data["memory"]["float16"]["sampling"] > 0
    assert data["stored"] == ["float32"]


@pytest.mark.parametrize("name", ["stable_audio_open_1_0", "stable_audio_open_small"])
def test_a_published_config_is_counted(audiogen: Command, name: str) -> None:
    """The parameters of its networks, without weights, are those of the published tensors."""
    configs = DATA / "model_configs"
    data = json.loads(audiogen("models", "show", configs / f"{name}.json", "--json").out)
    shapes = json.loads(gzip.decompress((configs / f"{name}.state_dict.json.gz").read_bytes()))
    assert data["checkpoint"] is None
    for part, prefix in {
        "diffusion": "model.",
        "decoder": "pretransform.model.decoder.",
        "encoder": "pretransform.model.encoder.",
    }.items():
        published = sum(math.prod(one) for key, one in shapes.items() if key.startswith(prefix))
        assert data["parameters"][part] == published


def test_the_default_model_is_shown(audiogen: Command) -> None:
    """By its name or as the default."""
    results = [audiogen("models", "show", name, "--json") for name in ("default", NAME)]
    one, other = (json.loads(result.out) for result in results)
    assert one.pop("name") != other.pop("name")
    assert one == other
    assert one["sampler"] == "euler"
    assert one["stored"] == ["float16"]


def test_what_cannot_be_shown(audiogen: Command, tmp_path: Path) -> None:
    """One message each, and exit code 2."""
    unknown = tiny_config()
    unknown["model"]["conditioning"]["configs"][1]["type"] = "numbr"
    (tmp_path / "unknown.json").write_text(json.dumps(unknown), encoding="utf-8")
    (tmp_path / "model.ckpt").touch()
    (tmp_path / "empty").mkdir()
    for given, message in {
        "defalt": "'defalt' is no file or folder here, and no repository name like 'owner/name' "
        "(did you mean 'default'?)",
        "empty": "'empty' holds no model_config.json",
        "model.ckpt": "'model.ckpt' is no model config, a .json file; name the model's config",
        "x" * 300: f"'{'x' * 300}' is no file or folder here",
        "nowhere/model_config.json": "'nowhere/model_config.json' is no file or folder here",
        "unknown.json": "model.ckpt: is empty",
        "default --revision x": "--revision goes with a model of the Hub, and 'default' is none",
        "acme/nothing": "acme/nothing: model_config.json is not in the local cache",
    }.items():
        result = audiogen("models", "show", *given.split(), cwd=tmp_path)
        assert (result.code != 0, result.out) == (True, "")
        assert result.err.startswith(f"error: {message}"), result.err
    (tmp_path / "model.ckpt").unlink()
    result = audiogen("models", "show", "unknown.json", cwd=tmp_path)
    assert result.code == 2
    assert "model.conditioning.configs[1].type: 'numbr' is not a known conditioner" in result.err


def generated(audiogen: Command, config: Path, model: Path, weights: Path) -> np.ndarray:
    """The audio that a model makes with these weights."""
    files = ["--model-config", str(model / "model_config.json"), "--ckpt-path", str(weights)]
    result = audiogen(
        "generate", "--generation-config", config, "--on-existing", "overwrite", *files
    )
    assert result.code == 0, result.err
    return decode(Path(result.out.splitlines()[-1]))[0]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """The greatest of two sounds at full scale."""
    return float(np.abs(one - other).max())


def test_a_training_checkpoint_is_unwrapped(
    audiogen: Command, tiny_model: Path, tmp_path: Path, write_config: WriteConfig
) -> None:
    """The result is plain safetensors, and generates as the checkpoint does, with its average."""
    tensors = load_file(tiny_model / "model.safetensors")
    wrapped = {f"diffusion.{name}": one for name, one in tensors.items()}
    for name, one in tensors.items():
        if name.startswith("model."):
            wrapped[f"diffusion_ema.ema_model.{name.removeprefix('model.')}"] = one * 0.9
    wrapped["diffusion_ema.step"] = torch.tensor(3)
    wrapped["losses.weight"] = torch.ones(2)
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "run.ckpt")
    result = audiogen("models", "convert", tmp_path / "run.ckpt", tmp_path / "plain.safetensors")
    assert (result.code, result.out) == (0, f"{tmp_path / 'plain.safetensors'}\n"), result.err
    assert result.err.startswith(f"{len(tensors)} tensors, ")
    made = load_file(tmp_path / "plain.safetensors")
    assert made.keys() == tensors.keys()
    name = next(name for name in tensors if name.startswith("model."))
    assert torch.equal(made[name], tensors[name] * 0.9)
    config = write_config()
    before = generated(audiogen, config, tiny_model, tmp_path / "run.ckpt")
    after = generated(audiogen, config, tiny_model, tmp_path / "plain.safetensors")
    assert difference(before, after) < ROUNDING
    plain = generated(audiogen, config, tiny_model, tiny_model / "model.safetensors")
    assert difference(plain, after) > 10 * ROUNDING


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_type_of_numbers_can_be_chosen(
    audiogen: Command, tiny_model: Path, tmp_path: Path, write_config: WriteConfig, dtype: str
) -> None:
    """The file holds rounded numbers, and generates as the rounded numbers do."""
    tensors = load_file(tiny_model / "model.safetensors")
    target = tmp_path / "out.safetensors"
    result = audiogen(
        "models", "convert", tiny_model / "model.safetensors", target, "--dtype", dtype
    )
    assert result.code == 0, result.err
    wanted = getattr(torch, dtype)
    for name, tensor in load_file(target).items():
        assert torch.equal(tensor, tensors[name].to(wanted))
    rounded = {name: tensor.to(wanted).float() for name, tensor in tensors.items()}
    save_file(rounded, tmp_path / "rounded.safetensors")
    config = write_config()
    wide = generated(audiogen, config, tiny_model, tmp_path / "rounded.safetensors")
    assert difference(wide, generated(audiogen, config, tiny_model, target)) < ROUNDING


def test_an_autoencoder_s_training_is_unwrapped(audiogen: Command, tmp_path: Path) -> None:
    """Its moving average is taken; tied tensors and integers are written as they are."""
    tied = torch.arange(6.0).reshape(2, 3)
    save = {
        "autoencoder.decoder.weight": tied + 1,
        "autoencoder_ema.ema_model.decoder.weight": tied,
        "autoencoder_ema.ema_model.decoder.tied": tied.T,
        "autoencoder_ema.ema_model.decoder.count": torch.tensor([7]),
    }
    torch.save({"state_dict": save}, tmp_path / "vae.ckpt")
    target = tmp_path / "vae.safetensors"
    result = audiogen("models", "convert", tmp_path / "vae.ckpt", target, "--dtype", "float16")
    assert result.code == 0, result.err
    assert "1 of training left out" in result.err
    made = load_file(target)
    assert made.keys() == {"decoder.weight", "decoder.tied", "decoder.count"}
    assert torch.equal(made["decoder.tied"], tied.T.half())
    assert torch.equal(made["decoder.count"], torch.tensor([7]))


def test_nothing_is_written_where_it_cannot_be_right(audiogen: Command, tmp_path: Path) -> None:
    """One message, exit code 2, and the files that were there are as they were."""
    save_file({"model.w": torch.tensor([1e6, 1.0])}, tmp_path / "big.safetensors")
    (tmp_path / "there.safetensors").write_bytes(b"mine")
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for given, message in {
        "big.safetensors there.safetensors": "there.safetensors: exists already; --overwrite",
        f"big.safetensors {'x' * 300}.safetensors": f"{'x' * 300}.safetensors: cannot be written: ",
        "big.safetensors out.ckpt": "out.ckpt: must end in .safetensors",
        "big.safetensors no/out.safetensors": "no/out.safetensors: there is no folder 'no'",
        "no.safetensors out.safetensors": "no.safetensors: checkpoint does not exist",
        "broken.safetensors out.safetensors": "broken.safetensors: is cut short, damaged",
        "big.safetensors out.safetensors --dtype float16": "big.safetensors: model.w: holds "
        "numbers that are too large for float16; use bfloat16",
    }.items():
        result = audiogen("models", "convert", *given.split(), cwd=tmp_path)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"error: {message}"), result.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    tiny = {"model.w": torch.tensor([2.0, -448.0]).to(torch.float8_e4m3fn)}
    save_file(tiny, tmp_path / "tiny.safetensors")
    for number in ("float16", "bfloat16", "float32"):
        wider = ["tiny.safetensors", f"{number}.safetensors", "--dtype", number]
        assert audiogen("models", "convert", *wider, cwd=tmp_path).code == 0
        made = load_file(tmp_path / f"{number}.safetensors")["model.w"]
        assert made.float().tolist() == [2, -448]
    arguments = ["big.safetensors", "there.safetensors", "--overwrite"]
    assert audiogen("models", "convert", *arguments, cwd=tmp_path).code == 0
    assert load_file(tmp_path / "there.safetensors")["model.w"][0] == 1e6
