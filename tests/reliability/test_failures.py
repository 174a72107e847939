"""What goes wrong costs the output that it comes from, and is written down."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audiogen_core import making
from audiogen_core.models.model import Model
from audiogen_core.testing.encoders import decode
from audiogen_plugins.encoders.wav import Wav
from tests.conftest import Command, Result, local_model, write_embedding_model
from tests.crashes import contents

PROMPTS = [f"sound {number}" for number in range(5)]
Generate = Callable[..., Result]


@pytest.fixture
def generate(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> Generate:
    """Runs the command on five samples."""

    def run(*options: str, folder: Path | str = tmp_path / "out", **generation: Any) -> Result:
        config = write_config(
            generation=generation,
            input={"type": "config", "samples": [{"prompt": one} for one in PROMPTS]},
            output={"output_dir": str(folder), "file_naming": "prompt"},
        )
        model = local_model(tiny_model)
        return audiogen(
            "generate", *model, "--generation-config", config, "--device", "cpu", *options
        )

    return run


def failures(folder: Path) -> list[dict[str, Any]]:
    """The lines of ``failures.jsonl``."""
    text = (folder / "failures.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def broken_encoder(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the encoder fail for one output of the run, counted from 0."""

    def at(number: int) -> None:
        encode, calls = Wav.encode, iter(range(1000))

        def fails(self: Wav, *arguments: Any) -> None:
            if next(calls) == number:
                raise RuntimeError("the encoder gave up")
            encode(self, *arguments)

        monkeypatch.setattr(Wav, "encode", fails)

    return at


def test_a_failure_is_written_down_and_retried(
    generate: Generate,
    broken_encoder: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The others are written, exit code 3; --retry-failed makes it, and the list is gone."""
    broken_encoder(2)
    result = generate("--max-batch", "2")
    assert result.code == 3
    out = tmp_path / "out"
    (failure,) = failures(out)
    assert failure["cause"] == "RuntimeError: the encoder gave up"
    assert (failure["name"], failure["sample"], failure["seed"]) == (
        "sound 2",
        "input.samples[2]",
        1,
    )
    assert failure["conditioning"]["prompt"] == "sound 2"
    assert len(list(out.glob("*.wav"))) == len(list(out.glob("*.json"))) == 4
    monkeypatch.undo()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (out / "sound 0.wav").unlink()
    retried = generate("--retry-failed", "--max-batch", "2")
    assert (retried.code, retried.out.splitlines()) == (0, [str(out / "sound 2.wav")])
    assert not (out / "failures.jsonl").exists()
    assert "no output that failed before" in generate("--retry-failed").err
    assert generate("--max-batch", "2").out.splitlines() == [str(out / "sound 0.wav")]


def test_nan_costs_one_output(
    generate: Generate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """NaN and infinity in the audio are a failure of their own output, with the batch unharmed."""
    decode_latents, calls = Model.decode, iter(range(1000))

    def sometimes(self: Model, latents: torch.Tensor) -> torch.Tensor:
        audio = decode_latents(self, latents)
        number = next(calls)
        return audio * {1: float("nan"), 3: float("inf")}.get(number, 1.0)

    monkeypatch.setattr(Model, "decode", sometimes)
    assert generate().code == 3
    assert [one["name"] for one in failures(tmp_path / "out")] == ["sound 1", "sound 3"]
    assert all("NaN" in one["cause"] for one in failures(tmp_path / "out"))


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_halves_the_batch(
    generate: Generate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[Exception]
) -> None:
    """Until it fits, and the metadata says in what company an output was sampled."""
    make_audio, sizes = making.make_audio, []

    def short(prepared: Any, batch: Any, observer: Any) -> Any:
        sizes.append(len(batch.jobs))
        if len(batch.jobs) > 1:
            raise kind("DefaultCPUAllocator: can't allocate memory: you tried to allocate much")
        return make_audio(prepared, batch, observer)

    monkeypatch.setattr(making, "make_audio", short)
    assert generate("--max-batch", "4").code == 0
    assert sizes == [4, 2, 1, 1, 2, 1, 1, 1]
    content = json.loads((tmp_path / "out" / "sound 3.json").read_text())
    assert content["batch"] == {"size": 1, "index": 0}


def test_no_memory_even_for_one_output_says_what_needs_less(
    generate: Generate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where halving has come to its end."""

    def short(*arguments: Any) -> Any:
        raise torch.OutOfMemoryError("none left")

    monkeypatch.setattr(making, "make_audio", short)
    assert generate("--max-batch", "4").code == 3
    causes = {one["cause"] for one in failures(tmp_path / "out")}
    assert causes == {
        'OutOfMemoryError: none left (generation.sample_size "auto" and --model-half need less '
        "memory)"
    }


def test_out_of_memory_at_every_place(
    generate: Generate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whichever module's call is the first that finds no memory, every output is made."""
    call, make_audio = torch.nn.Module._call_impl, making.make_audio
    counting, count, failing = False, 0, -1

    def counted(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        nonlocal count
        if counting and not list(self.children()):
            count += 1
            if count == failing:
                raise torch.OutOfMemoryError
        return call(self, *args, **kwargs)

    def watched(*arguments: Any) -> Any:
        nonlocal counting
        counting = True
        try:
            return make_audio(*arguments)
        finally:
            counting = False

    monkeypatch.setattr(torch.nn.Module, "__call__", counted)
    monkeypatch.setattr(making, "make_audio", watched)
    run: dict[str, Any] = {"steps": 1, "cfg_scale": 1.0}
    assert generate("--max-batch", "3", folder=tmp_path / "whole", **run).code == 0
    calls, whole = count, contents(tmp_path / "whole")
    assert calls > 50
    for failing in range(1, calls, max(1, calls // 20)):
        count = 0
        out = tmp_path / f"out{failing}"
        assert generate("--max-batch", "3", folder=out, **run).code == 0
        found = contents(out)
        assert found.keys() == whole.keys()
        for name in (one for one in whole if one.endswith(".wav")):
            same, other = decode(tmp_path / "whole" / name)[0], decode(out / name)[0]
            assert 10 * np.log10((same**2).sum() / max(((same - other) ** 2).sum(), 1e-12)) > 60


def test_an_embedding_that_disappears_costs_its_output(
    write_config: Callable[..., Path],
    audiogen: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was there when the run was planned, and is gone when it is needed."""
    model = write_embedding_model(tmp_path / "model")
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", np.full((4, 3), number, dtype=np.float32))
    make_audio = making.make_audio

    def after_removal(prepared: Any, batch: Any, observer: Any) -> Any:
        (tmp_path / "1.npy").unlink(missing_ok=True)
        return make_audio(prepared, batch, observer)

    monkeypatch.setattr(making, "make_audio", after_removal)
    samples = [{"prompt": str(n), "audio_prompt": str(tmp_path / f"{n}.npy")} for n in range(3)]
    config = write_config(
        input={"type": "config", "samples": samples}, output={"file_naming": "prompt"}
    )
    result = audiogen("generate", *local_model(model), "--generation-config", config)
    assert result.code == 3
    (failure,) = failures(tmp_path / "out")
    assert failure["name"] == "1"
    assert "1.npy" in failure["cause"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 640 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=640k", "tmpfs", folder], capture_output=True
        ).returncode
    ):
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_ends_the_run(small_disk: Path, generate: Generate) -> None:
    """One message, what was finished is kept, no debris; with room again the run goes on."""
    result = generate(folder=small_disk)
    assert result.code == 1
    assert result.err.count("No space left on device") == 1
    assert "written" in result.err
    kept = contents(small_disk)
    assert 0 < len(kept) < 10
    assert not [name for name in kept if name.startswith(".audiogen-")]
    for path in small_disk.glob("*.wav"):
        decode(path)
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    again = generate(folder=small_disk)
    assert again.code == 0
    assert len(contents(small_disk)) == 10
    assert all(contents(small_disk)[name] == content for name, content in kept.items())


def test_a_read_only_disk_is_found_before_the_model_is_loaded(
    small_disk: Path, generate: Generate
) -> None:
    """Exit code 2 and the reason."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    result = generate(folder=small_disk / "out")
    assert result.code == 2
    assert "Read-only file system" in result.err
    assert "loading" not in result.err


def test_a_limit_on_file_sizes_costs_the_files_that_pass_it(
    tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """A file that grows beyond the limit fails, leaves nothing, and the run goes on."""
    config = write_config(
        conditioning_defaults={"seconds_start": 0, "seconds_total": 0.5},
        input={
            "type": "config",
            "samples": [
                {"prompt": "short", "seconds_total": 0.1},
                {"prompt": "long"},
                {"prompt": "short too", "seconds_total": 0.1},
            ],
        },
        output={"file_naming": "prompt"},
    )
    done = subprocess.run(
        [sys.executable, "-m", "audiogen_cli", "generate", *local_model(tiny_model),
         "--generation-config", str(config)],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    found = contents(tmp_path / "out")
    assert sorted(found) == [
        "failures.jsonl", "short too.json", "short too.wav", "short.json", "short.wav"
    ]  # fmt: skip
    assert os.strerror(errno.EFBIG) in failures(tmp_path / "out")[0]["cause"]


def test_a_folder_that_vanishes_ends_the_run(
    generate: Generate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is not made again in silence: what was in it is gone."""
    encode = Wav.encode

    def then_removed(self: Wav, *arguments: Any) -> None:
        encode(self, *arguments)
        shutil.rmtree(tmp_path / "out")

    monkeypatch.setattr(Wav, "encode", then_removed)
    result = generate()
    assert result.code == 1
    assert "No such file or directory" in result.err
    assert "0 written, 5 left" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("length", [4060, 5000])
def test_a_path_that_is_too_long_is_found_before_the_model_is_loaded(
    generate: Generate, tmp_path: Path, length: int
) -> None:
    """Exit code 2: the folder itself, or one that has no room for a file's name."""
    folder = tmp_path
    while len(str(folder)) < length:
        folder /= "f" * min(200, max(1, length - len(str(folder)) - 1))
    result = generate(folder=folder)
    assert result.code == 2
    assert os.strerror(errno.ENAMETOOLONG) in result.err
    assert "loading" not in result.err


def test_a_cut_line_costs_no_other(
    generate: Generate, broken_encoder: Callable[[int], None], tmp_path: Path
) -> None:
    """What a killed process has half written is not joined to the next failure."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "failures.jsonl").write_text('{"identity": "0')
    broken_encoder(2)
    assert generate().code == 3
    lines = (out / "failures.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines[1:]] == ["sound 2"]
    assert generate("--retry-failed").out.splitlines() == [str(out / "sound 2.wav")]


def test_a_planted_link_is_not_written_through(
    generate: Generate, broken_encoder: Callable[[int], None], tmp_path: Path
) -> None:
    """Whoever may write into the output folder cannot have another file of the user's changed."""
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir()
    victim.write_text("mine")
    (out / "failures.jsonl").symlink_to(victim)
    broken_encoder(2)
    result = generate()
    assert result.code == 1
    assert "failures.jsonl" in result.err
    assert victim.read_text() == "mine"


def test_failures_that_were_made_are_forgotten_when_nothing_is_left(
    generate: Generate, tmp_path: Path
) -> None:
    """A run that was ended after its last output has not come to it, so the next one does."""
    assert generate().code == 0
    out = tmp_path / "out"
    made = json.loads((out / "sound 2.json").read_text())["identity"]
    lines = [{"identity": made}, {"identity": "0" * 32}]
    (out / "failures.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    assert "nothing to do" in generate().err
    assert [one["identity"] for one in failures(out)] == ["0" * 32]


def test_a_read_only_folder_where_all_is_done_is_no_error(
    small_disk: Path, generate: Generate
) -> None:
    """Nothing need be written there."""
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert generate(folder=small_disk).code == 0
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    result = generate(folder=small_disk)
    assert (result.code, result.out) == (0, "")
    assert "nothing to do" in result.err
    other = generate(folder=small_disk, seed=9)
    assert other.code == 2


BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""What makes root bound by permissions, as anybody else is."""


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs setpriv")
@pytest.mark.parametrize("shards", [None, 2])
def test_a_folder_that_may_not_be_read_is_one_message(
    shards: int | None, tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """Before the model is loaded, with its place in the config."""
    folder = tmp_path / "out"
    closed = folder if shards is None else folder / "00"
    closed.mkdir(parents=True)
    closed.chmod(0o300)
    config = write_config(output={"output_dir": str(folder), "shard_dirs": shards})
    done = subprocess.run(
        [*(BOUND if os.geteuid() == 0 else []), sys.executable, "-m", "audiogen_cli", "generate",
         *local_model(tiny_model), "--generation-config", str(config)],
        capture_output=True,
        text=True,
    )  # fmt: skip
    closed.chmod(0o700)
    assert done.returncode == 2
    assert f"output.output_dir: '{closed}' cannot be read: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
