"""``audiogen generate``, as users run it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import audiogen_core
from audiogen_core.options import PluginOptions
from audiogen_core.runfolder import HIDDEN
from audiogen_core.testing.encoders import decode
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from audiogen_plugins.encoders.wav import Wav
from audiogen_plugins.observers.progress import MAX_FAILURES
from tests.conftest import Command, Result, audiogen_process, local_model

WriteConfig = Callable[..., Path]
PROMPTS = {"type": "config", "samples": [{"prompt": "kick"}, {"prompt": "snare"}]}


def files(folder: Path) -> list[str]:
    """What stands in a folder, but for what runs keep for themselves."""
    return sorted(path.name for path in folder.iterdir() if path.name != HIDDEN)


def test_every_output_has_its_audio_and_its_metadata(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Two samples in batches of two make four files and their metadata, and print four paths."""
    config = write_config(generation={"batch_size": 2}, input=PROMPTS)
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0, result.err
    names = [
        "kick.cfg7.0.1", "kick.cfg7.0.2", "snare.cfg7.0.1", "snare.cfg7.0.2"
    ]  # fmt: skip
    assert result.out.splitlines() == [str(tmp_path / "out" / f"{name}.wav") for name in names]
    assert files(tmp_path / "out") == sorted(
        f"{name}.{end}" for name in names for end in ("json", "wav")
    )
    audio, rate = decode(tmp_path / "out" / "kick.cfg7.0.1.wav")
    assert (audio.shape, rate) == ((2, 44100), 44100)
    assert np.abs(audio).max() > 0.5


def test_metadata_tells_how_to_make_the_file_again(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """The documented keys are there, and a config made from them gives the same bytes."""
    config = write_config(generation={"seed": -1, "cfg_scale": 3, "eta": 0.5, "scale_phi": 0.2})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0, result.err
    first = Path(result.out.strip())
    metadata = json.loads(first.with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["conditioning"] == {
        "prompt": "a jazz piece", "seconds_start": 0, "seconds_total": 1
    }  # fmt: skip
    assert metadata["sample_rate"] == 44100
    assert metadata["file_format"] == "wav"
    assert metadata["model_config"] == {
        "sample_rate": 44100, "sample_size": 98304, "model_type": "diffusion_cond"
    }  # fmt: skip
    generation = metadata["generation_config"]
    assert generation["cfg_scale"] == 3
    assert generation["sampler_type"] == "dpmpp-3m-sde"
    assert generation["seed"] >= 0
    assert (generation["eta"], generation["s_noise"]) == (0.5, 1.0)  # defaults too
    version = f"audiogen {audiogen_core.__version__}"
    assert metadata["software"]["plugins"] == dict.fromkeys(
        [
            "sampler", "input", "naming", "encoder", "post-processor peak", "post-processor trim",
            "observer metadata", "conditioner prompt", "conditioner seconds_start",
            "conditioner seconds_total", "backbone", "autoencoder", "bottleneck",
        ],
        version,
    )  # fmt: skip
    again = write_config(
        generation=generation,
        conditioning_defaults={},
        input={"type": "config", "samples": [metadata["conditioning"]]},
        output={"output_dir": str(tmp_path / "again")},
    )
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", again)
    assert result.code == 0, result.err
    assert Path(result.out.strip()).read_bytes() == first.read_bytes()


def test_metadata_tells_the_options_of_a_format(
    tiny_model: Path,
    write_config: WriteConfig,
    audiogen: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An encoder may have options; they stand beside what else is known of the file."""

    class Options(PluginOptions):
        dither: bool = False

    monkeypatch.setattr(Wav, "Options", Options)
    config = write_config(output={"file_format": {"name": "wav", "dither": True}})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0, result.err
    metadata = json.loads(Path(result.out.strip()).with_suffix(".json").read_text("utf-8"))
    assert metadata["file_format"] == "wav"
    assert metadata["output"]["file_format_options"] == {"dither": True}


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="file names are Unicode here")
def test_metadata_of_a_model_in_a_folder_whose_name_is_no_text(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its bytes stand in the JSON as Python gives them, so that the path can still be opened."""
    folder = shutil.copytree(tiny_model, tmp_path / os.fsdecode(b"\xff"))
    config = write_config()
    monkeypatch.chdir(folder)
    result = audiogen("generate", *local_model(Path()), "--generation-config", config)
    assert result.code == 0, result.err
    metadata = json.loads(Path(result.out.strip()).with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["model"]["ckpt_path"] == str(folder / "model.safetensors")


def test_metadata_can_be_left_out(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """``save_metadata: false`` writes audio alone."""
    config = write_config(output={"save_metadata": False})
    assert audiogen("generate", *local_model(tiny_model), "--generation-config", config).code == 0
    assert files(tmp_path / "out") == ["a jazz piece.cfg7.0.1.wav"]


@pytest.mark.parametrize(
    ("file_format", "ending"),
    [("wav", "wav"), ("flac", "flac"), ("mp3 v0", "mp3"), ("mp3 320k", "mp3"), ("mp3 128k", "mp3")],
)
def test_formats_are_cut_to_the_sample(
    file_format: str, ending: str, tiny_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """Each format holds exactly ``seconds_total``, cut before it is encoded."""
    config = write_config(
        output={"file_format": file_format}, conditioning_defaults={"seconds_total": 0.75}
    )
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0, result.err
    path = Path(result.out.strip())
    assert path.suffix == f".{ending}"
    audio, rate = decode(path)
    assert audio.shape == (2, round(0.75 * rate))


def test_without_cutting_the_model_s_length_is_kept(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """``cut_to_seconds_total: false`` keeps all that the model made."""
    config = write_config(output={"cut_to_seconds_total": False})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert decode(Path(result.out.strip()))[0].shape == (2, 98304)


def test_a_longer_wish_than_the_model_is_a_note(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """The documented ``seconds_total: 180`` on a short model ends where the model ends."""
    config = write_config(conditioning_defaults={"seconds_total": 180})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0
    assert (
        "note: seconds_total is up to 180, but this model makes 2.229 seconds at most" in result.err
    )
    assert decode(Path(result.out.strip()))[0].shape == (2, 98304)


def test_a_prompts_file_and_standard_input(
    tiny_model: Path, write_config: WriteConfig, tmp_path: Path
) -> None:
    """A process of its own reads its config from standard input and prompts from a file."""
    (tmp_path / "prompts.txt").write_bytes("\ufeffCyberpunk\r\n\r\n  Jazz: with piano \n".encode())
    config = write_config(input={"type": "file", "prompts_file": "prompts.txt"})
    result = audiogen_process(
        "generate", *local_model(tiny_model), "--generation-config", "-",
        cwd=tmp_path, stdin=config.read_bytes(),
    )  # fmt: skip
    assert result.code == 0, result.err
    names = [Path(line).name for line in result.out.splitlines()]
    assert names == ["Cyberpunk.cfg7.0.1.wav", "Jazz- with piano.cfg7.0.1.wav"]


def test_equal_names_do_not_overwrite_each_other(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """Outputs of the same prompt are numbered, also where only the case differs."""
    config = write_config(
        generation={"batch_size": 2},
        input={"type": "config", "samples": [{"prompt": "Kick"}, {"prompt": "kick"}]},
        output={"file_naming": "prompt", "save_metadata": False},
    )
    assert audiogen("generate", *local_model(tiny_model), "--generation-config", config).code == 0
    assert files(tmp_path / "out") == ["Kick-2.wav", "Kick.wav", "kick-3.wav", "kick-4.wav"]


def test_one_failing_output_does_not_stop_the_others(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """What cannot be written is reported at once with its cause, and counted; the code is 3."""
    (tmp_path / "out" / "kick.cfg7.0.1.wav").mkdir(parents=True)
    config = write_config(input=PROMPTS)
    arguments = [*local_model(tiny_model), "--generation-config", config]
    result = audiogen("generate", *arguments, "--on-existing", "overwrite")
    assert result.code == 3
    assert [Path(line).name for line in result.out.splitlines()] == ["snare.cfg7.0.1.wav"]
    assert result.err.count("input.samples[0] (seed 1): IsADirectoryError: ") == 1
    assert result.err.endswith("\n1 output written, 1 failed\n")
    assert not [name for name in files(tmp_path / "out") if name.endswith(".part")]


def test_many_failures_are_told_once_each_up_to_a_number(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """A run that fails all along fills no screen; the list in the folder has them all."""
    for number in range(1, MAX_FAILURES + 11):
        (tmp_path / "out" / f"kick.cfg7.0.{number}.wav").mkdir(parents=True)
    config = write_config(
        generation={"steps": 1, "batch_size": MAX_FAILURES + 10},
        conditioning_defaults={"seconds_total": 0.1},
        input={"type": "config", "samples": [{"prompt": "kick"}]},
    )
    arguments = [*local_model(tiny_model), "--generation-config", config]
    result = audiogen("generate", *arguments, "--on-existing", "overwrite")
    assert result.code == 3
    assert result.err.count("IsADirectoryError") == MAX_FAILURES
    log = tmp_path / "out" / "failures.jsonl"
    assert f"failed: more than {MAX_FAILURES}; the others are in {log}\n" in result.err
    assert len((tmp_path / "out" / "failures.jsonl").read_text().splitlines()) == MAX_FAILURES + 10


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_encoding_of_standard_output_will_do(
    encoding: str, tiny_model: Path, write_config: WriteConfig, tmp_path: Path
) -> None:
    """A name that standard output cannot say is escaped; the outputs after it are made."""
    samples = [{"prompt": "ветер"}, {"prompt": "wind"}]
    config = write_config(
        input={"type": "config", "samples": samples}, output={"file_naming": "prompt"}
    )
    result = audiogen_process(
        "generate", *local_model(tiny_model), "--generation-config", config,
        PYTHONIOENCODING=encoding,
    )  # fmt: skip
    assert result.code == 0, result.err
    said = "ветер.wav".encode(encoding, "backslashreplace").decode(encoding)
    assert [Path(line).name for line in result.out.splitlines()] == [said, "wind.wav"]
    assert {"ветер.wav", "wind.wav"} <= set(files(tmp_path / "out"))


def changed_model(folder: Path, source: Path, change: Callable[[str, torch.Tensor], Any]) -> Path:
    """A copy of a model with changed tensors; those changed to None are left out."""
    folder.mkdir()
    (folder / "model_config.json").write_bytes((source / "model_config.json").read_bytes())
    (folder / "t5").symlink_to(source / "t5")
    tensors = {
        name: changed
        for name, tensor in load_file(source / "model.safetensors").items()
        if (changed := change(name, tensor)) is not None
    }
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_audio_that_is_not_finite_is_a_failure(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """NaN never reaches an encoder, and leaves no file."""
    broken = changed_model(
        tmp_path / "nan",
        tiny_model,
        lambda name, one: one * float("nan") if "preprocess" in name else one,
    )
    config = write_config(input=PROMPTS)
    result = audiogen("generate", *local_model(broken), "--generation-config", config)
    assert result.code == 3
    assert result.out == ""
    told = [line for line in result.err.splitlines() if line.startswith("failed: ")]
    assert len(told) == 2
    assert all("the model made NaN or infinity instead of audio" in line for line in told)
    assert files(tmp_path / "out") == ["failures.jsonl"]


def test_silence_stays_silence(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """A silent output is written, with a note."""
    mute = changed_model(
        tmp_path / "mute",
        tiny_model,
        lambda name, one: (
            one * 0 if "decoder.layers" in name and name.endswith("weight_g") else one
        ),
    )
    result = audiogen("generate", *local_model(mute), "--generation-config", write_config())
    assert result.code == 0, result.err
    assert "note: a jazz piece.cfg7.0.1: the model made silence" in result.err
    assert not decode(Path(result.out.strip()))[0].any()


def test_quiet_prints_results_alone(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """``--quiet`` leaves standard error empty."""
    config = write_config(conditioning_defaults={"seconds_total": 180})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config, "-q")
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith(".wav\n")


def test_half_weights_make_nearly_the_same(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """``--model-half`` runs in 16 bits and says so in the metadata."""
    config = write_config()
    arguments = ["generate", *local_model(tiny_model), "--generation-config", config]
    path = Path(audiogen(*arguments).out.strip())
    full = decode(path)[0]
    half_too = [*arguments, "--model-half", "--device", "cpu"]
    assert audiogen(*half_too).code == 2, "it is not the same output"
    result = audiogen(*half_too, "--on-existing", "overwrite")
    assert result.code == 0, result.err
    half = decode(path)[0]
    metadata = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["software"]["dtype"] == "bfloat16"
    assert 0 < np.square(full - half).mean() / np.square(full).mean() < 0.1


@pytest.mark.parametrize("name", ["bfloat16", "float16", "auto", "float32"])
def test_weights_have_the_type_that_is_asked_for(
    name: str, tiny_model: Path, write_config: WriteConfig, audiogen: Command
) -> None:
    """``--dtype`` is what the weights are; ``auto`` is one that this machine is fast in."""
    config = write_config()
    arguments = [*local_model(tiny_model), "--generation-config", config, "--device", "cpu"]
    path = Path(audiogen("generate", *arguments).out.strip())
    full = decode(path)[0]
    before = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    result = audiogen("generate", *arguments, "--dtype", name, "--on-existing", "overwrite")
    assert result.code == 0, result.err
    after = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    used = after["software"]["dtype"]
    assert used in ({"bfloat16", "float32"} if name == "auto" else {name})
    error = np.square(full - decode(path)[0]).mean() / np.square(full).mean()
    assert (after["identity"] == before["identity"]) == (error == 0) == (used == "float32")
    assert error < 0.1
    assert after["model"].get("dtype", "float32") == used


@pytest.mark.parametrize(
    "options", [["--model-half", "--dtype", "float32"], ["--retry-failed", "--new-seeds"]]
)
def test_options_exclude_each_other(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, options: list[str]
) -> None:
    """One of them would be ignored, or leave nothing to make."""
    arguments = ["generate", *local_model(tiny_model), "--generation-config", write_config()]
    result = audiogen(*arguments, *options)
    assert (result.code, result.out) == (2, "")
    first, second = (one for one in options if one.startswith("--"))
    assert f"error: {first} and {second} exclude each other" in result.err


def test_checkpoints_of_training_are_unwrapped(
    tiny_model: Path, write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """A ``.ckpt`` of a training run gives what its averaged weights give, and nothing else."""
    tensors = load_file(tiny_model / "model.safetensors")
    wrapped = {
        **{
            f"diffusion.{name}": one * 0 if name.startswith("model.") else one
            for name, one in tensors.items()
        },
        **{
            f"diffusion_ema.ema_model.{name.removeprefix('model.')}": one
            for name, one in tensors.items()
            if name.startswith("model.")
        },
        "diffusion_ema.step": torch.tensor(1000),
        "losses.loss_modules.0.decay": torch.zeros(1),
    }
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "run.ckpt")
    config = write_config()
    arguments = ["generate", "--generation-config", config]
    path = Path(audiogen(*arguments, *local_model(tiny_model)).out.strip())
    expected = decode(path)[0]
    shutil.rmtree(tmp_path / "out")
    result = audiogen(
        *arguments,
        "--model-config",
        tiny_model / "model_config.json",
        "--ckpt-path",
        tmp_path / "run.ckpt",
    )
    assert result.code == 0, result.err
    # Tensors that lie otherwise in memory are summed in another order.
    np.testing.assert_allclose(decode(path)[0], expected, atol=1e-3)


@pytest.mark.parametrize("prefix", ["", "pretransform.model.", "autoencoder."])
@pytest.mark.parametrize("has_its_own", [True, False])
def test_another_autoencoder_replaces_the_model_s_own(
    prefix: str,
    has_its_own: bool,
    tiny_model: Path,
    write_config: WriteConfig,
    audiogen: Command,
    tmp_path: Path,
) -> None:
    """``--pretransform-ckpt-path`` takes an autoencoder alone, in a model, or of a training run.

    The model's checkpoint need not hold one then.
    """
    own = "pretransform.model."
    other = write_tiny_model(tmp_path / "other", seed=5)
    tensors = load_file(other / "model.safetensors")
    save_file(
        {
            prefix + name.removeprefix(own): one
            for name, one in tensors.items()
            if name.startswith(own)
        },
        tmp_path / "autoencoder.safetensors",
    )
    expected_model = changed_model(
        tmp_path / "expected",
        tiny_model,
        lambda name, one: tensors[name] if name.startswith(own) else one,
    )
    config = write_config()
    arguments = ["generate", "--generation-config", config]
    path = Path(audiogen(*arguments, *local_model(expected_model)).out.strip())
    expected = decode(path)[0]
    shutil.rmtree(tmp_path / "out")
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    if not has_its_own:
        kept = load_file(model / "model.safetensors")
        kept = {name: one for name, one in kept.items() if not name.startswith(own)}
        save_file(kept, model / "model.safetensors")
    result = audiogen(
        *arguments,
        *local_model(model),
        "--pretransform-ckpt-path",
        tmp_path / "autoencoder.safetensors",
    )
    assert result.code == 0, result.err
    metadata = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    used = metadata["model"]["pretransform_ckpt_path"]
    assert used == str((tmp_path / "autoencoder.safetensors").resolve())
    # Tensors that lie otherwise in memory are summed in another order.
    np.testing.assert_allclose(decode(path)[0], expected, atol=1e-3)


def test_a_model_without_a_pretransform(
    write_config: WriteConfig, audiogen: Command, tmp_path: Path
) -> None:
    """A network that works on audio itself is run as well."""
    config = tiny_config()
    del config["model"]["pretransform"]
    config["sample_size"], config["sample_rate"] = 2048, 8000
    config["model"]["io_channels"] = config["model"]["diffusion"]["config"]["io_channels"] = 2
    folder = write_tiny_model(tmp_path / "plain", config)
    generation = write_config(output={"cut_to_seconds_total": False})
    result = audiogen("generate", *local_model(folder), "--generation-config", generation)
    assert result.code == 0, result.err
    audio, rate = decode(Path(result.out.strip()))
    assert (audio.shape, rate) == ((2, 2048), 8000)


def test_an_interrupt_ends_cleanly(
    tiny_model: Path, write_config: WriteConfig, tmp_path: Path
) -> None:
    """Ctrl-C exits with 130, says what was written, and leaves no partial file."""
    samples = [{"prompt": f"kick {index}"} for index in range(50)]
    config = write_config(generation={"steps": 50}, input={"type": "config", "samples": samples})
    process = subprocess.Popen(
        [sys.executable, "-m", "audiogen_cli", "generate", *local_model(tiny_model),
         "--generation-config", config],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
        # What runs in the background of a shell ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("out/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("interrupted: ")
    assert {Path(line).name for line in out.splitlines()} == {
        name for name in files(tmp_path / "out") if name.endswith(".wav")
    }
    assert not [name for name in files(tmp_path / "out") if name.endswith(".part")]


def test_a_setting_of_an_executor_says_which_option_is_wrong(audiogen: Command) -> None:
    """With a form that fits it."""
    options = ("--executor", "processes", "--executor-option", "workers")
    result = audiogen("generate", "--prompt", "x", *options)
    assert (result.code, result.out) == (2, "")
    assert "error: --executor-option workers: must be like key=value" in result.err
    result = audiogen("generate", "--prompt", "x", "--dry-run", "--executor-option", "workers=2")
    assert result.code == 2
    told = "--executor-option: executor 'local' has no options; --executor 'processes', 'ray' have"
    assert told in result.err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--on-existing", "Skip", "'Skip' is not one of 'skip', 'error', 'overwrite', 'rename' "
         "(did you mean 'skip'?)"),
        ("--dtype", "fp16", "'fp16' is not one of 'auto', 'float32', 'bfloat16', 'float16'"),
        ("--max-batch", "0", "must be greater than or equal to 1"),
    ],
)  # fmt: skip
def test_wrong_values_of_arguments(
    option: str, value: str, message: str, audiogen: Command
) -> None:
    """They are told in the words of all other messages."""
    result = audiogen("generate", "--prompt", "x", option, value)
    assert result.code == 2
    assert result.err.endswith(f"Invalid value for '{option}': {message}\n")


def test_a_signal_before_the_command_has_begun_is_told(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it still imports and reads, too: one word, and the exit code of an interruption."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("audiogen_core.plugin_manager.installed_plugins", interrupted)
    assert audiogen("generate", "--prompt", "x") == Result(130, "", "interrupted\n")
