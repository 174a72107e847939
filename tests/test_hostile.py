"""Hostile input: accepted, or refused with one message, in little memory and time."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from audiogen_core.errors import InputError
from audiogen_core.interfaces.naming import NamedJob
from audiogen_core.models.checkpoint import open_checkpoint
from audiogen_core.names import UniqueNames
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from benchmarks.fuzz import fuzz
from tests.conftest import Command, local_model

CASES = {
    "config": 1000, "lines": 1000, "model": 400, "embedding": 1000, "safetensors": 800,
    "pickled": 800,
}  # fmt: skip
"""How many damaged files of each kind are read: 5,000 in all."""

MAX_SECONDS = 2
MAX_MEGABYTES = 500

STRATEGIES: dict[str, dict[str, Any]] = {
    "prompt": {},
    "verbose": {},
    "audio_prompt": {},
    "template": {"template": "{prompt}{audio_prompt:slug40}"},
}
ENDING = ".flac"
RESERVED = {
    "con", "prn", "aux", "nul", "conin$", "conout$",
    *(f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"),
}  # fmt: skip
PIECES = (
    "..", "/", "\\", "/etc/passwd", "C:", "~", ".", " ", "...", "\0", "\n", "\x1b[2J", "\x7f",
    "\ud800", "\udfff", "\u200f", "\u202e", "\u2066", "\ufeff", "\u2028", "CON", "nul", "Aux.txt",
    "COM1", "lpt¹", "CONIN$", "é", "e\u0301", "É", "ß", "SS", "ẞ", "\u017f", "K", "k", "ǆ", "İ",
    "i\u0307", "\u03c2", "\u03c3", "ﬁ", "fi", "\ud55c", "\u1112\u1161\u11ab", "🎷", "a", "A",
    "jazz", "?", "*", "|", '"', "<", ">", "%", "-2", "é" * 120, "🎷" * 70, "x" * 240, "\u0344",
    "\ue000", "\U0010ffff",
)  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_damaged_files(kind: str, tmp_path: Path) -> None:
    """A damaged file of any kind is accepted or refused, in time; nothing else is raised."""
    report = fuzz(kind, range(CASES[kind]), seed=0, folder=tmp_path)
    assert report.findings == []
    assert report.outcomes["refused"] > CASES[kind] / 2
    assert report.outcomes["accepted"] > 0


def hostile_texts(count: int) -> Iterator[str]:
    """Texts made of what is trouble in file names."""
    rng = random.Random(0)  # noqa: S311
    for _ in range(count):
        yield "".join(rng.choices(PIECES, k=rng.randint(0, 6)))


def test_ten_thousand_names(tmp_path: Path) -> None:
    """Whatever the prompts are, every output gets a file of its own in the output folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    plugins = {name: installed_plugins().naming.load(name) for name in STRATEGIES}
    strategies = [
        plugin(plugin.Options.model_validate(STRATEGIES[name])) for name, plugin in plugins.items()
    ]
    names = UniqueNames()
    texts = list(hostile_texts(10_000))
    for index, text in enumerate(texts):
        values = {"prompt": text, "audio_prompt": text, "negative_prompt": texts[-index]}
        job = NamedJob(index, 0, values, index % 7, {"cfg_scale": 7.0})
        stem = names.claim(strategies[index % len(strategies)].stem(job))
        (folder / f"{stem}{ENDING}").touch(exist_ok=False)
        assert stem.partition(".")[0].strip().casefold() not in RESERVED
    written = [path.name for path in folder.iterdir()]
    assert len(written) == len(texts)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    folded = {unicodedata.normalize("NFC", name).casefold() for name in written}
    assert len(folded) == len(texts)
    assert max(len(name.encode()) for name in written) <= 255
    assert not any(name.startswith(".") for name in written)
    assert all(unicodedata.category(char)[0] != "C" for name in written for char in name)


def archive(pickle: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    """A checkpoint with this pickle instead of the one that torch.save made."""
    stream, changed = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.zeros(4)}, stream)
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(changed, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, pickle if name.endswith("data.pkl") else old.read(name))
    return changed.getvalue()


def saved(tensor: torch.Tensor) -> bytes:
    """A checkpoint of one tensor."""
    stream = io.BytesIO()
    torch.save({"a": tensor}, stream)
    return stream.getvalue()


def calling(function: str, argument: bytes) -> bytes:
    """A pickle that calls a function that torch allows."""
    module, name = function.split()
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + argument + b"\x85R."


def text_of(size: int) -> bytes:
    """A long text in a pickle."""
    return b"X" + struct.pack("<I", size) + b"a" * size


def header(**tensors: Any) -> bytes:
    """The bytes of a safetensors file with a header alone."""
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


HOLLOW = "a: is no plain tensor with all of its numbers in the file"
OBJECTS = "holds Python objects besides tensors"
CHECKPOINTS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a compressed archive": (
        "x.ckpt",
        lambda: archive(b"\x80\x02" + b"]" * 10**8, zipfile.ZIP_DEFLATED),
        "is a compressed archive",
    ),
    "a number repeated": ("x.ckpt", lambda: saved(torch.zeros(1).expand(10**6, 10**6)), HOLLOW),
    "no numbers": ("x.ckpt", lambda: saved(torch.empty(10**6, 10**6, device="meta")), HOLLOW),
    "more numbers than there are": (
        "x.ckpt",
        lambda: saved(torch.zeros(4)).replace(b"K\x04\x85", b"K\x09\x85"),
        "is cut short, damaged",
    ),
    "gigabytes for a byte": (
        "x.ckpt",
        lambda: archive(calling("builtins bytearray", b"J" + struct.pack("<i", 2**31 - 1))),
        OBJECTS,
    ),
    "hours for a text": (
        "x.ckpt",
        lambda: archive(b"\x80\x02c_codecs\nencode\n" + text_of(10**6) + b"X\x04\0\0\0idna\x86R."),
        OBJECTS,
    ),
    "a program": ("x.ckpt", lambda: archive(b"\x80\x02" + b"(]" * 10**6), "names more tensors"),
    "a long header": ("x.safetensors", lambda: header(a="x" * 5_000_000), "names more tensors"),
    "a header that overlaps": (
        "x.safetensors",
        lambda: (
            header(
                a={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
                b={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            )
            + bytes(4)
        ),
        "is cut short, damaged",
    ),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_hostile_checkpoints(name: str, tmp_path: Path) -> None:
    """A checkpoint that would take memory or time is refused before it can."""
    file, content, message = CHECKPOINTS[name]
    path = tmp_path / file
    path.write_bytes(content())
    started = time.process_time()
    with pytest.raises(InputError, match=message):
        open_checkpoint(path)
    assert time.process_time() - started < MAX_SECONDS


RUN = """
import atexit, pathlib, time
from audiogen_cli.app import main

@atexit.register
def tell():
    status = pathlib.Path("/proc/self/status").read_text()
    kibibytes = status.partition("VmHWM:")[2].split()[0]
    print(kibibytes, time.process_time())

main()
"""
"""The command, which tells at its end how much memory and processor time it took."""


@dataclass(frozen=True)
class Cost:
    """What a refusal took.

    Attributes:
        megabytes: At most at once.
        seconds: Of processor time.
        error: What the user was told.
    """

    megabytes: float
    seconds: float
    error: str


def refusal(place: Path, config: str = "config.json", weights: str = "garbage.ckpt") -> Cost:
    """Runs the command on something bad, in a process of its own."""
    arguments = ["--generation-config", config, *local_model(Path())[:2], "--ckpt-path", weights]
    done = subprocess.run(
        [sys.executable, "-c", RUN, "generate", "--quiet", *arguments],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 10_000
    assert not (place / "out").exists()
    kibibytes, seconds = done.stdout.split()
    return Cost(int(kibibytes) / 1024, float(seconds), done.stderr)


@pytest.fixture(scope="module")
def place(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a model that can be built, but has no weights."""
    folder = tmp_path_factory.mktemp("hostile")
    model = json.loads((tiny_model / "model_config.json").read_text())
    ready_made = model["model"]["conditioning"]
    ready_made["configs"] = [
        {"id": "audio_prompt", "type": "pre_encoded_latent",
         "config": {"input_dim": 64, "pool_across_time": True}},
    ]  # fmt: skip
    diffusion = model["model"]["diffusion"]
    diffusion["cross_attention_cond_ids"] = ["audio_prompt"]
    diffusion["global_cond_ids"] = []
    del diffusion["config"]["global_cond_dim"]
    (folder / "model_config.json").write_text(json.dumps(model))
    np.save(folder / "good.npy", np.ones((3, 64), np.float32))
    (folder / "garbage.ckpt").write_bytes(b"garbage")
    (folder / "config.json").write_text(json.dumps(config(audio_prompt="good.npy")))
    return folder


def config(**defaults: Any) -> dict[str, Any]:
    """A generation config."""
    return {
        "conditioning_defaults": {"prompt": "jazz", "audio_prompt": "good.npy", **defaults},
        "input": {"type": "config", "samples": [{}]},
        "output": {"output_dir": "out"},
    }


@pytest.fixture(scope="module")
def base(place: Path) -> Cost:
    """What it takes to import everything, build the model and find that it has no weights."""
    cost = refusal(place)
    assert "garbage.ckpt: is cut short" in cost.error
    return cost


def in_file(name: str, content: bytes) -> Callable[[Path], dict[str, str]]:
    """A generation config of these bytes."""

    def prepare(place: Path) -> dict[str, str]:
        (place / name).write_bytes(content)
        return {"config": name}

    return prepare


def huge_embedding(place: Path) -> dict[str, str]:
    """A file of 100 GB, which take no room on the disk, and are all there."""
    with (place / "huge.npy").open("wb") as file:
        np.lib.format.write_array_header_2_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (390_625_000, 64)}
        )
        file.truncate(file.tell() + 390_625_000 * 64 * 4)
    (place / "huge.json").write_text(json.dumps(config(audio_prompt="huge.npy")))
    return {"config": "huge.json"}


def huge_header(place: Path) -> dict[str, str]:
    """A header of 3 GB."""
    with (place / "header.npy").open("wb") as file:
        file.write(b"\x93NUMPY\x02\0" + struct.pack("<I", 3 * 10**9))
        file.truncate(3 * 10**9 + 100)
    (place / "header.json").write_text(json.dumps(config(audio_prompt="header.npy")))
    return {"config": "header.json"}


def huge_line(place: Path) -> dict[str, str]:
    """A file of prompts that is one line of 20 GB."""
    with (place / "line.txt").open("wb") as file:
        file.truncate(20 * 10**9)
    data = {**config(), "input": {"type": "file", "prompts_file": "line.txt"}}
    (place / "line.json").write_text(json.dumps(data))
    return {"config": "line.json"}


def bomb(place: Path) -> dict[str, str]:
    """A checkpoint of which a megabyte asks for two gigabytes."""
    pickle = calling("builtins bytearray", b"J" + struct.pack("<i", 2**31 - 1))
    (place / "bomb.ckpt").write_bytes(archive(pickle))
    return {"weights": "bomb.ckpt"}


def many_outputs(place: Path) -> dict[str, str]:
    """A config of a few bytes that asks for 10^12 outputs."""
    data = {
        **config(),
        "generation": {"batch_size": 4096},
        "input": {"type": "grid", "values": {
            key: list(range(1000)) for key in ("seed", "seconds_start", "seconds_total")
        }},
    }  # fmt: skip
    (place / "many.json").write_text(json.dumps(data))
    return {"config": "many.json"}


PROCESSES: dict[str, tuple[Callable[[Path], dict[str, str]], str]] = {
    "a bomb of lists": (in_file("l.json", b"[" + b"[]," * 10**6 + b"1]"), "more than 100,000"),
    "a bomb of keys": (in_file("k.toml", b"a" + b".a" * 50_000 + b" = 1"), "nested too deeply"),
    "a bomb of aliases": (
        in_file("a.yaml", b"a: &a [x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n"),
        "a config has no anchors",
    ),
    "an embedding of 100 GB": (huge_embedding, "holds more than 64 MiB"),
    "a header of 3 GB": (huge_header, "is not a .npy file"),
    "a line of 20 GB": (huge_line, "has a line of more than 256 KiB"),
    "a checkpoint of gigabytes": (bomb, "holds Python objects besides tensors"),
    "outputs without end": (many_outputs, "more than 100,000"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
@pytest.mark.parametrize("name", PROCESSES)
def test_hostile_processes(name: str, place: Path, base: Cost) -> None:
    """The command ends with its message, and takes little more than to find anything wrong."""
    prepare, message = PROCESSES[name]
    cost = refusal(place, **prepare(place))
    assert message in cost.error
    assert cost.megabytes < base.megabytes + MAX_MEGABYTES
    assert cost.seconds < 2 * base.seconds + MAX_SECONDS


ABSURD = {
    "embed_dim": ("model.diffusion.config.embed_dim", 10**9),
    "depth": ("model.diffusion.config.depth", 10**6),
    "sample_size": ("sample_size", 10**15),
    "sample_rate": ("sample_rate", 10**15),
    "strides": ("model.pretransform.config.decoder.config.strides", [0, 8, 8, 8]),
    "channels": ("model.pretransform.config.decoder.config.channels", -4),
    "c_mults": ("model.pretransform.config.decoder.config.c_mults", [1] * 10**4),
    "lists": ("model.diffusion.cross_attention_cond_ids", [[]] * 10**4),
    "conditioners": ("model.conditioning.configs", [{"id": "a", "type": "int"}] * 10**4),
}
"""A place in a model config, and what it may not hold."""


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_model_configs(
    name: str,
    tmp_path: Path,
    tiny_model: Path,
    audiogen: Command,
    write_config: Callable[..., Path],
) -> None:
    """A model config that asks for absurd sizes is refused with its place, before it is built."""
    path, value = ABSURD[name]
    data = json.loads((tiny_model / "model_config.json").read_text())
    *parents, last = path.split(".")
    holder = data
    for key in parents:
        holder = holder[key]
    holder[last] = value
    (tmp_path / "model_config.json").write_text(json.dumps(data))
    weights = local_model(tiny_model)[2:]
    model = ["--model-config", str(tmp_path / "model_config.json"), *weights]
    started = time.process_time()
    result = audiogen("generate", "--generation-config", write_config(), *model)
    assert time.process_time() - started < MAX_SECONDS
    assert result.code == 2
    assert f"{path}" in result.err
    assert len(result.err) < 10_000


LONG = b"x" * 300_000
LINES: dict[str, tuple[str, bytes, str]] = {
    "a long line": ("file", b"rain\n" + LONG, "has a line of more than 256 KiB (line 2)"),
    "a null character": ("file", b"rain\nwi\0nd\n", "holds a null character (line 2)"),
    "no UTF-8": ("file", b"rain\n\xff\n", "is not UTF-8 text (line 2)"),
    "a long object": ("jsonl", b'{"prompt": "' + LONG + b'"}', "more than 256 KiB (line 1)"),
    "a null character in JSON": ("jsonl", b'{"prompt": "\\u0000"}', "holds a null character"),
    "a bare null character in JSON": ("jsonl", b'{"prompt": "\0"}', "line 1, column 13"),
    "a deep object": ("jsonl", b"[" * 100_000, "nested too deeply, more than 64 levels"),
    "a null character in a cell": ("csv", b"prompt\nra\0in\n", "holds a null character (line 2)"),
    "a row without end": ("csv", b"prompt\n" + b'"\n",' * 200_000, "line 2: is a row of more than"),
    "a long cell": ("csv", b'prompt\n"' + b"x" * 200_000 + b'"\n', "larger than field limit"),
    "a wide table": ("csv", b"a," * 2000 + b"a\n", "line 1: has 2001 columns, more than 1000"),
}


@pytest.mark.parametrize("name", LINES)
def test_hostile_lines(
    name: str, tmp_path: Path, audiogen: Command, write_config: Callable[..., Path]
) -> None:
    """A file of lines that are no text, or without end, is refused with the line."""
    source, content, message = LINES[name]
    path = tmp_path / "lines"
    path.write_bytes(content)
    key = "prompts_file" if source == "file" else "samples_file"
    config = write_config(input={"type": source, key: str(path)})
    started = time.process_time()
    result = audiogen("generate", "--generation-config", config)
    assert time.process_time() - started < MAX_SECONDS
    assert result.code == 2
    assert message in result.err
    assert len(result.err) < 10_000


def test_what_steers_a_terminal_is_not_printed(
    tmp_path: Path, audiogen: Command, tiny_model: Path, write_config: Callable[..., Path]
) -> None:
    """Names from a file that nobody trusts cannot clear the screen, nor forge a second message."""
    tensors = load_file(tiny_model / "model.safetensors")
    path = tmp_path / "bad.safetensors"
    save_file({**tensors, "\x1b[2J\nerror: all is well\u202e": torch.zeros(0)}, path)
    model = [*local_model(tiny_model)[:2], "--ckpt-path", path]
    result = audiogen("generate", "--generation-config", write_config(), *model)
    assert result.code == 2
    assert "\\x1b[2J\\nerror: all is well\\u202e: unexpected, [0]" in result.err
    assert all(char.isprintable() or char == "\n" for char in result.err)


def test_tokenizers_run_no_code(
    tmp_path: Path, audiogen: Command, write_config: Callable[..., Path]
) -> None:
    """A tokenizer that brings code of its own is refused, and nobody is asked whether to run it."""
    folder = write_tiny_model(tmp_path / "model")
    config = json.loads((folder / "t5" / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}
    (folder / "t5" / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "t5" / "mine.py").write_text("import pathlib\npathlib.Path('pwned').touch()\n")
    result = audiogen(
        "generate", "--generation-config", write_config(), *local_model(folder), cwd=tmp_path
    )
    assert not (tmp_path / "pwned").exists()
    assert result.code in {0, 2}
    assert "Do you wish to run" not in result.out + result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"d_model": -1}', "its config's d_model: must be "),
        (b'{"d_model": 1000000000000}', "its config's d_model: must be at most 65536, not 1"),
        (b'{"d_model": true}', "its config's d_model: must be "),
        (b'{"d_model": 64, "num_layers": 1000000000}', "its config's num_layers: must be at most "),
        (
            b'{"d_model": 64, "feed_forward_proj": "x"}',
            "its config's feed_forward_proj: 'x' is not allowed",
        ),
    ],
)
def test_configs_of_text_encoders(
    text: bytes,
    message: str,
    tmp_path: Path,
    audiogen: Command,
    write_config: Callable[..., Path],
    tiny_model: Path,
) -> None:
    """The config of a text encoder is trusted no more than any other file."""
    (tmp_path / "t5").mkdir()
    (tmp_path / "t5" / "config.json").write_bytes(text)
    (tmp_path / "model_config.json").write_text(json.dumps(tiny_config()))
    model = ["--model-config", tmp_path / "model_config.json", *local_model(tiny_model)[2:]]
    result = audiogen("generate", "--generation-config", write_config(), *model)
    assert result.code == 2
    assert message in result.err
