"""``audiogen again``: files that are made again are the same to the last bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from audiogen_core.again import Wishes, make_again, prepare_again
from audiogen_core.interfaces.encoder import EncoderUnavailableError
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.outcome import Outcome
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Prepared
from audiogen_core.recall import recall
from audiogen_core.runfolder import HIDDEN
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from audiogen_plugins.observers.metadata import MetadataFiles
from audiogen_plugins.observers.progress import Progress
from tests.conftest import Command, audiogen_process, local_model, write_embedding_model

WriteConfig = Callable[..., Path]


@pytest.fixture(scope="module")
def short_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that makes a third of a second."""
    config = tiny_config()
    config["sample_size"] = 16384
    return write_tiny_model(tmp_path_factory.mktemp("short"), config)


def made(result: Any) -> list[Path]:
    """The files of a run that went well."""
    assert result.code == 0, result.err
    return [Path(line) for line in result.out.splitlines()]


def files(folder: Path) -> list[str]:
    """What stands in a folder, but for what runs keep for themselves."""
    return sorted(path.name for path in folder.iterdir() if path.name != HIDDEN)


@pytest.mark.slow
def test_every_format_is_the_same_again(
    write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Of the default model, one of four outputs that were sampled together, in every format."""
    originals = []
    for number, one in enumerate(installed_plugins().encoders.classes()):
        try:
            one().check(44100, 1)
        except EncoderUnavailableError:
            assert "he_v2" in one.NAME, f"{one.NAME} cannot be written here"
            continue
        config = write_config(
            generation={"batch_size": 2, "cfg_scale": 3.0, "seed": 7},
            conditioning_defaults={"seconds_total": 0.4},
            input={
                "type": "config",
                "samples": [
                    {"prompt": "kick drum", "negative_prompt": "snare"},
                    {"prompt": "a bright bell at c5"},
                ],
            },
            output={
                "output_dir": str(tmp_path / "first" / one.NAME),
                "file_format": one.NAME,
                "post_processing": [
                    {"name": "loudness", "lufs": -20}, {"name": "fade", "fade_out": 0.1}
                ],
            },
        )  # fmt: skip
        outputs = made(audiogen("generate", "--generation-config", config, "--max-batch", 4))
        originals.append(outputs[number % 4])
    assert len(originals) >= 16
    # One folder holds them all, for no two have one name.
    renamed = [tmp_path / f"{number}{path.suffix}" for number, path in enumerate(originals)]
    for number, path in enumerate(originals):
        shutil.copy(path, renamed[number])
        shutil.copy(path.with_suffix(".json"), renamed[number].with_suffix(".json"))
    result = audiogen("again", *renamed, "--out", tmp_path / "again")
    for old, new in zip(renamed, made(result), strict=True):
        assert old.name == new.name
        assert old.read_bytes() == new.read_bytes(), old.suffix
        assert f"{new} is {old} to the last bit" in result.err
        assert old.with_suffix(".json").read_bytes() == new.with_suffix(".json").read_bytes()


@pytest.mark.parametrize(
    "generation",
    [
        {"sampler_type": "k-heun", "s_churn": 2.0, "s_noise": 1.01},
        {"sampler_type": "dpmpp-2m-sde", "eta": 0.5, "solver_type": "heun", "scale_phi": 0.3},
        {"sampler_type": "k-dpm-adaptive", "rtol": 0.1, "atol": 0.1, "sigma_min": 0.1,
         "sigma_max": 10, "cfg_interval": [0.3, 0.7]},
    ],
    ids=lambda generation: generation["sampler_type"],
)  # fmt: skip
def test_company_does_not_matter_but_its_number_does(
    generation: dict[str, Any],
    short_model: Path,
    write_config: WriteConfig,
    audiogen: Command,
    tmp_path: Path,
) -> None:
    """Samples that differ in length, prompt and negative prompt: each is the same again alone."""
    config = write_config(
        generation={"cfg_scale": 3, "batch_size": 2, "steps": 3, "seed": 40, **generation},
        conditioning_defaults={"seconds_total": 0.3},
        input={
            "type": "config",
            "samples": [
                {"prompt": "kick"},
                {"prompt": "a relaxing jazz piece " * 9, "negative_prompt": "noise"},
                {"prompt": "", "seconds_total": 0.2},
            ],
        },
        output={"file_format": "wav float", "file_naming": {"name": "template", "template": "x"}},
    )
    arguments = [*local_model(short_model), "--generation-config", config, "--max-batch", 6]
    originals = made(audiogen("generate", *arguments))
    result = audiogen("again", *originals, "--out", tmp_path / "again")
    for old, new in zip(originals, made(result), strict=True):
        assert json.loads(old.with_suffix(".json").read_text("utf-8"))["batch"]["size"] == 6
        assert old.read_bytes() == new.read_bytes()


def test_tags_alone_will_do(
    short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Of every kind of file, one of several copies that has no metadata beside it."""
    originals = []
    for name in ("wav 24", "flac", "mp3 v0", "ogg opus 96k", "m4a aac 96k"):
        config = write_config(
            generation={"batch_size": 3},
            conditioning_defaults={"seconds_total": 0.3},
            output={"file_format": name, "save_metadata": False, "file_naming": "prompt"},
        )
        arguments = [*local_model(short_model), "--generation-config", config]
        originals.append(made(audiogen("generate", *arguments))[2])
        originals[-1] = originals[-1].rename(tmp_path / f"{name}{originals[-1].suffix}")
    new = made(
        audiogen("again", *originals, *local_model(short_model), "--out", tmp_path / "again")
    )
    for old, again in zip(originals, new, strict=True):
        assert old.read_bytes() == again.read_bytes(), old.suffix
    assert files(tmp_path / "again") == sorted(path.name for path in originals)


def test_half_the_width_is_the_same_again(
    short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """What ``--model-half`` made is made with 16-bit weights again, by its metadata alone."""
    (old,) = made(
        audiogen(
            "generate", *local_model(short_model), "--model-half", "--generation-config",
            write_config(), "--pretransform-ckpt-path", short_model / "model.safetensors",
        )
    )  # fmt: skip
    (new,) = made(audiogen("again", old.with_suffix(".json"), "--out", tmp_path / "again"))
    assert old.read_bytes() == new.read_bytes()


def test_a_name_beside_the_old_one(
    short_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """The old file stays; what is there already is not made twice; another seed gets a number."""
    config = write_config(output={"file_naming": "prompt"})
    (old,) = made(audiogen("generate", *local_model(short_model), "--generation-config", config))
    content = old.read_bytes()
    (new,) = made(audiogen("again", old))
    assert new == old.with_name("a jazz piece-again.wav")
    result = audiogen("again", old)
    assert (made(result), "the output stands in" in result.err) == ([], True)
    assert "--new-seeds" not in result.err
    result = audiogen("again", old, "--set", "generation.seed=7")
    (other,) = made(result)
    assert other.name == "a jazz piece-again-2.wav"
    assert "to the last bit" not in result.err
    assert (
        json.loads(other.with_suffix(".json").read_text("utf-8"))["generation_config"]["seed"] == 7
    )
    assert old.read_bytes() == content == new.read_bytes() != other.read_bytes()


def test_a_name_of_one_s_own(
    short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """``--out`` is a file where it has an ending, the format's own; nothing is replaced."""
    (old,) = made(
        audiogen("generate", *local_model(short_model), "--generation-config", write_config())
    )
    name = tmp_path / "mine.wav"
    assert made(audiogen("again", old, "--out", name)) == [name]
    assert name.read_bytes() == old.read_bytes()
    own = tmp_path / "own.wav"
    assert made(audiogen("again", old, "--out", own, "--set", "output.file_naming=prompt")) == [own]
    flac = tmp_path / "other.flac"
    result = audiogen("again", old, "--out", flac)
    assert (result.code, result.out) == (2, "")
    assert result.err.endswith(
        f"error: --out {flac}: files in the format 'wav' end in '.wav'; "
        "--set output.file_format=... asks for another\n"
    )
    result = audiogen("again", old, "--out", name, "--set", "generation.seed=9")
    assert (result.code, "holds files of the same names" in result.err) == (2, True)
    assert name.read_bytes() == old.read_bytes()
    result = audiogen("again", old, old, "--out", name)
    assert (result.code, result.err) == (
        2, f"error: --out {name}: must be a folder for 2 files; add a / to its name\n"
    )  # fmt: skip
    result = audiogen("again", old, old)
    assert (result.code, "would both be made as" in result.err) == (2, True)
    result = audiogen("again", old, "--out", flac, "--set", "output.file_format=flac")
    assert made(result) == [flac]
    result = audiogen("again", old, "--set", "output.file_naming=prompt")
    assert [path.name for path in made(result)] == ["a jazz piece.wav"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("generation.batch_size=3", "generation.batch_size: must stay 2: a file is made again as "
         "one file; 'audiogen generate' makes several"),
        ("input.samples[1].prompt=x", "input: holds several samples: a file is made again as one "
         "file; 'audiogen generate' makes several"),
        ("generation.stpes=3", "generation.stpes: unknown key for sampler 'dpmpp-3m-sde' (did you "
         "mean 'steps'?)"),
        ("conditioning_defaults.seconds_total=-1", "conditioning_defaults.seconds_total: must be "
         "greater than 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_set(
    setting: str, message: str, short_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """The message names the argument and the place; nothing is written."""
    config = write_config(generation={"batch_size": 2})
    old, _ = made(audiogen("generate", *local_model(short_model), "--generation-config", config))
    before = files(old.parent)
    result = audiogen("again", old, "--set", setting)
    assert (result.code, result.out) == (2, "")
    origin = old.with_suffix(".json")
    last = result.err.splitlines()[-1]
    assert last.startswith(f"error: {origin}: ")
    assert message in last
    if not setting.startswith("input"):  # several samples are nobody's own place
        assert f"--set {setting}: " in last
    assert files(old.parent) == before


def test_a_model_that_has_moved_or_changed(
    short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Where a local model is can be said anew; one of other content is told of, and used."""
    model = Path(shutil.copytree(short_model, tmp_path / "model"))
    (old,) = made(audiogen("generate", *local_model(model), "--generation-config", write_config()))
    model = model.rename(tmp_path / "elsewhere")
    result = audiogen("again", old)
    assert result.code == 2
    assert result.err.endswith(
        f"error: {old.with_suffix('.json')}: its model is not at "
        f"'{tmp_path / 'model' / 'model_config.json'}' any more: --model-config and --ckpt-path "
        "say where it is\n"
    )
    alone = Path(shutil.copy(old, tmp_path / "alone.wav"))
    result = audiogen("again", alone)
    assert (result.code, "without its folder: --model-config and --ckpt-path" in result.err) == (
        2, True
    )  # fmt: skip
    result = audiogen("again", alone, *local_model(model))
    (new,) = made(result)
    assert (new.name, new.read_bytes()) == ("alone-again.wav", old.read_bytes())
    assert "warning" not in result.err
    assert not new.with_suffix(".json").exists()

    weights = load_file(model / "model.safetensors")
    weights["model.model.project_out.weight" if "model.model.project_out.weight" in weights
            else next(iter(weights))] *= 2  # fmt: skip
    save_file(weights, model / "model.safetensors")
    result = audiogen("again", alone, *local_model(model), "--out", tmp_path / "changed")
    assert made(result)
    assert f"warning: the model is not the one that made {alone}:\n  fingerprint: " in result.err


def test_conditioning_that_has_changed(
    write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """An embedding of other content under the same path is told of."""
    model = write_embedding_model(tmp_path)
    embedding = tmp_path / "e.npy"
    np.save(embedding, np.ones((4, 3), np.float32))
    config = write_config(
        input={"type": "config", "samples": [{"prompt": "x", "audio_prompt": str(embedding)}]}
    )
    (old,) = made(audiogen("generate", *local_model(model), "--generation-config", config))
    result = audiogen("again", old, "--out", tmp_path / "same")
    assert (made(result)[0].read_bytes(), "warning" in result.err) == (old.read_bytes(), False)
    np.save(embedding, np.zeros((4, 3), np.float32))
    result = audiogen("again", old, "--out", tmp_path / "other")
    assert made(result)[0].read_bytes() != old.read_bytes()
    assert f"warning: {old} was made from something else than there is now" in result.err


def test_other_bytes_are_told_of(
    short_model: Path,
    write_config: WriteConfig,
    audiogen: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A later version that writes another version number says so, and what is not as it was."""
    (old,) = made(
        audiogen("generate", *local_model(short_model), "--generation-config", write_config())
    )
    monkeypatch.setattr("audiogen_core.__version__", "9.9")
    result = audiogen("again", old, "--out", tmp_path / "again", "--quiet")
    (new,) = made(result)
    assert new.read_bytes() != old.read_bytes()
    assert result.err.startswith(f"warning: {new} is made as {old} was, and has other bytes.")
    assert "software.audiogen: '0.1.0' then, '9.9' now" in result.err


def test_a_path_is_told_when_its_metadata_stands(
    short_model: Path,
    write_config: WriteConfig,
    audiogen: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the metadata cannot be written, no path is printed: the output has failed."""
    (old,) = made(
        audiogen("generate", *local_model(short_model), "--generation-config", write_config())
    )

    def broken(self: MetadataFiles, output: Output) -> None:
        raise ValueError("no room for it")

    monkeypatch.setattr(MetadataFiles, "sample_done", broken)
    result = audiogen("again", old, "--out", tmp_path / "again")
    assert (result.code, result.out) == (3, "")
    assert "no room for it" in result.err


def test_a_device_that_is_not_here(
    short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """What another machine's accelerator made is made on the best device there is, with a note."""
    if torch.cuda.is_available():
        pytest.skip("the device is here")
    (old,) = made(
        audiogen("generate", *local_model(short_model), "--generation-config", write_config())
    )
    path = old.with_suffix(".json")
    content = json.loads(path.read_text("utf-8"))
    content["software"]["device"] = "cuda:0"
    path.write_text(json.dumps(content), encoding="utf-8")
    result = audiogen("again", old, "--out", tmp_path / "again")
    assert made(result)
    assert f"note: {old} was made on 'cuda:0', which is not here: using '" in result.err


@pytest.mark.parametrize("replaced", ["by the command", "by hand"])
def test_metadata_of_what_was_replaced_is_not_believed(
    replaced: str, short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Without metadata of its own, a file of the same size and name is told of by its tags."""

    def generate(seed: int, **output: Any) -> Path:
        config = write_config(generation={"seed": seed}, output={"file_naming": "prompt", **output})
        arguments = [*local_model(short_model), "--generation-config", config]
        return made(audiogen("generate", *arguments, "--on-existing", "overwrite"))[0]

    path = generate(1)
    size, beside = path.stat().st_size, path.with_suffix(".json")
    if replaced == "by the command":
        other = path.with_name("other.json")
        other.write_bytes(beside.read_bytes())
        assert generate(2, save_metadata=False) == path
        assert not beside.exists()
        assert other.exists()
    else:
        generate(2, save_metadata=False, output_dir=str(tmp_path / "other")).replace(path)
    assert path.stat().st_size == size
    assert json.loads(audiogen("show", "--json", path).out)["generation_config"]["seed"] == 2
    again = made(audiogen("again", path, *local_model(short_model), "--out", tmp_path / "again"))
    assert again[0].read_bytes() == path.read_bytes()


def test_json_that_describes_something_else_stays(
    short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """What is replaced without metadata takes along its own, and no other file of its name."""

    def generate(seed: int, **output: Any) -> Path:
        config = write_config(generation={"seed": seed}, output={"file_naming": "prompt", **output})
        arguments = [*local_model(short_model), "--generation-config", config]
        return made(audiogen("generate", *arguments, "--on-existing", "overwrite"))[0]

    beside = generate(1).with_suffix(".json")
    content = beside.read_bytes()
    for seed in (1, 2):  # the second time in place of a file without metadata
        generate(seed, file_format="flac", save_metadata=False)
        assert beside.read_bytes() == content  # of the other format's file
    for seed, text in ((3, '{"name": "package"}'), (4, '{"generation_config": ')):
        beside.write_text(text, encoding="utf-8")
        generate(seed, save_metadata=False)
        assert beside.read_text("utf-8") == text


def first_made(
    short_model: Path, write_config: WriteConfig, audiogen: Command, **sections: Any
) -> Path:
    """A file of the tiny model, from a config with these sections."""
    config = write_config(**sections)
    return made(audiogen("generate", *local_model(short_model), "--generation-config", config))[0]


@pytest.mark.parametrize(
    ("cut", "chain"),
    [
        (False, None), (True, None), (False, ["loudness"]),
        (False, ["peak", "trim", {"name": "fade", "fade_in": 0.1}]),
    ],
)  # fmt: skip
def test_the_switch_that_cuts_can_be_turned(
    cut: bool, chain: Any, short_model: Path, write_config: WriteConfig, audiogen: Command,
    tmp_path: Path,
) -> None:  # fmt: skip
    """With it as the only change, the file is what a config with the other value makes."""
    sections: dict[str, Any] = {"conditioning_defaults": {"seconds_total": 0.2}}
    output = {} if chain is None else {"post_processing": chain}
    old, wanted = (
        first_made(
            short_model, write_config, audiogen, **sections,
            output={"output_dir": str(tmp_path / name), "cut_to_seconds_total": value, **output},
        )
        for name, value in (("old", not cut), ("wanted", cut))
    )  # fmt: skip
    setting = f"output.cut_to_seconds_total={json.dumps(cut)}"
    (new,) = made(audiogen("again", old, "--out", tmp_path / "new", "--set", setting))
    assert new.read_bytes() == wanted.read_bytes()
    told = json.loads(new.with_suffix(".json").read_text("utf-8"))
    assert (
        told["identity"] == json.loads(wanted.with_suffix(".json").read_text("utf-8"))["identity"]
    )


def test_another_sampler_needs_no_options_of_the_old_one(
    short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Those that it has too are kept; one that is asked for is never dropped in silence."""
    options = {"sampler_type": "dpmpp-2m-sde", "eta": 0.5, "solver_type": "heun", "s_noise": 1.01}
    old = first_made(short_model, write_config, audiogen, generation=options)
    for name, kept in (("dpmpp-2m", {}), ("dpmpp-3m-sde", {"eta": 0.5, "s_noise": 1.01})):
        sampler = f"generation.sampler_type={name}"
        (new,) = made(audiogen("again", old, "--out", tmp_path / name, "--set", sampler))
        told = json.loads(new.with_suffix(".json").read_text("utf-8"))["generation_config"]
        assert (told["sampler_type"], told["steps"]) == (name, 2)
        assert {key: told[key] for key in options if key in told} == {**kept, "sampler_type": name}
    both = ["--set", "generation.eta=0.5", "--set", "generation.sampler_type=dpmpp-2m"]
    result = audiogen("again", old, "--out", tmp_path / "none", *both)
    assert result.code == 2
    assert "--set generation.eta=0.5: generation.eta: unknown key for sampler" in result.err


@pytest.mark.parametrize("how", ["interrupted", "broken"])
def test_a_second_model_that_does_not_come(
    how: str,
    short_model: Path,
    write_config: WriteConfig,
    audiogen: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the first one made is told of, by the message, the exit code and to observers."""
    ended: list[Outcome] = []
    monkeypatch.setattr(
        Progress, "run_ended", lambda _, outcome: ended.append(outcome), raising=False
    )
    model = Path(shutil.copytree(short_model, tmp_path / "model"))
    first = first_made(short_model, write_config, audiogen)
    second = first_made(
        model, write_config, audiogen, input={"type": "config", "samples": [{"prompt": "rain"}]}
    )
    weights = model / "t5" / "model.safetensors"
    if how == "broken":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        load = Prepared.load

        def interrupted(prepared: Prepared, observer: Observer) -> None:
            if Path(prepared.identity["ckpt_path"]).parent == model:
                raise KeyboardInterrupt
            load(prepared, observer)

        monkeypatch.setattr(Prepared, "load", interrupted)
    del ended[:]
    out = tmp_path / "again"
    result = audiogen("again", first, second, "--out", out)
    assert result.out == f"{out / first.name}\n", result.err
    code, message = (
        (130, "interrupted: 1 written, 1 left\n")
        if how == "interrupted"
        else (1, ": 1 written, 1 left\n")
    )
    assert (result.code, result.err[-len(message) :]) == (code, message)
    assert [(one.interrupted, len(one.written)) for one in ended] == [(how == "interrupted", 1)]
    # The other way round nothing was made.
    result = audiogen("again", second, first, "--out", tmp_path / "none")
    assert (result.code, result.out) == (130 if how == "interrupted" else 2, "")
    assert not (tmp_path / "none").exists()


def test_metadata_that_names_no_model(audiogen: Command, tmp_path: Path) -> None:
    """What other programs write in this form can be shown, but does not say enough."""
    path = tmp_path / "x.json"
    for generation, message in (
        ({"seed": 1}, "does not say which model made the file: --model-config and --ckpt-path say "
         "where it is"),
        ({}, "generation_config.seed: is required, but missing: without it, the file cannot be "
         "made again"),
    ):  # fmt: skip
        content = {"generation_config": generation, "conditioning": {}, "file_format": "wav"}
        path.write_text(json.dumps(content), encoding="utf-8")
        assert audiogen("show", path).code == 0
        result = audiogen("again", path)
        assert (result.code, result.err.splitlines()[-1]) == (2, f"error: {path}: {message}")


def test_prompts_alone_and_again_as_users_do(tmp_path: Path) -> None:
    """Two processes, the default model, no config: the second makes the first one's file again."""
    result = audiogen_process(
        "generate", "--prompt", "rising siren", "--prompt", "kick drum", "--format", "flac",
        "--out", "sounds", "--seconds", "0.5", "--set", "generation.steps=2", cwd=tmp_path,
    )  # fmt: skip
    old, _ = made(result)
    result = audiogen_process("again", old, "--out", "again.flac", cwd=tmp_path)
    assert made(result) == [Path("again.flac")]
    assert (tmp_path / "again.flac").read_bytes() == (tmp_path / old).read_bytes()


class Stages(Observer):
    """Counts how often a model is loaded."""

    NAME = "stages"

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0

    def stage(self, what: str) -> None:
        """Counts."""
        self.loads += what == "loading the model"


def test_models_are_loaded_once_and_one_at_a_time(
    short_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Files of two models in turns load each of them once, and none of both stays."""
    model = Path(shutil.copytree(short_model, tmp_path / "model"))
    weights = load_file(model / "model.safetensors")
    save_file({key: one * 0.9 for key, one in weights.items()}, model / "model.safetensors")
    made_first = [
        first_made(
            one, write_config, audiogen, input={"type": "config", "samples": [{"prompt": prompt}]}
        )
        for prompt, one in zip(["a", "b", "c"], [short_model, model, short_model], strict=True)
    ]
    plugins, stages = installed_plugins(), Stages()
    wishes = Wishes(str(tmp_path / "again"))
    repeats = [prepare_again(recall(one), wishes, plugins, stages) for one in made_first]
    outcome = make_again(repeats, plugins, [stages])
    assert sorted(path.stem[0] for path in outcome.written) == ["a", "b", "c"]
    assert stages.loads == 2
    assert {one.prepared.model.device.type for one in repeats} == {"meta"}
