"""Feeds damaged files to what reads them: ``python benchmarks/fuzz.py --count 2000 --seed 1``.

Every file is a good one with a few changes: bytes flipped, cut out or put in, values of a structure
exchanged for absurd ones. It has to be accepted, or refused with an error made for users, in
little time. A case is made from the seed, its kind and its number alone, so that it can be made
again: ``--only embedding/17``.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from audiogen_core.config import parse_config
from audiogen_core.config_file import read_config_file
from audiogen_core.embedding_file import check_embedding_file
from audiogen_core.errors import AudiogenError, InputError, Problem
from audiogen_core.jobs import plan_jobs
from audiogen_core.models import checkpoint
from audiogen_core.models.build import build_model
from audiogen_core.models.config import ModelConfig, parse_model_config
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.strict_json import read_json
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_text_encoder

MAX_SECONDS = 2.0
"""Of processor time for one case."""

GENERATION_CONFIG = {
    "generation": {"steps": 2, "cfg_scale": 7.0, "seed": 1, "cfg_interval": [0, 1]},
    "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1},
    "input": {"type": "config", "samples": [{"prompt": "a jazz piece"}, {"prompt": "rain"}]},
    "output": {"output_dir": "out", "file_format": "wav", "file_naming": "verbose"},
}

TOML = b"""
[generation]
steps = 2  # a comment
cfg_interval = [0, 1]
[input]
type = "config"
samples = [{prompt = 'rain', seconds_total = 1.5}]
[output]
output_dir = "out"
"""

YAML = b"""
generation: {steps: 2, cfg_interval: [0, 1]}
input:
  type: config
  samples:
  - prompt: "rain"  # a comment
    seconds_total: 1.5
"""

LINES = {
    "file": ("prompts.txt", "prompts_file", b"a jazz piece\n\nrain\r\nw\xc3\xafnd\n"),
    "jsonl": ("samples.jsonl", "samples_file", b'{"prompt": "rain"}\n{"prompt": "wind"}\n'),
    "csv": ("samples.csv", "samples_file", b'prompt,seconds_total\n"rain, wind",1.5\njazz,2\n'),
}

ABSURD: tuple[Any, ...] = (
    None, True, 0, -1, 0.5, -1e308, 1e-308, 2**31, 10**9, 10**15, -(2**63), 2**64, 10**400,
    "", " ", "..", "/", "../../etc/passwd", "\u202e", "\x1b[2J", "nul", "é" * 200, "x" * 100_000,
    [], {}, [0], [None] * 2000, {"a": 1}, {str(index): index for index in range(1200)},
)  # fmt: skip

Random: TypeAlias = random.Random
Make: TypeAlias = Callable[[Random], tuple[str, bytes]]
"""Makes a damaged file: its name and what it holds."""

Read: TypeAlias = Callable[[Path], object]
"""Reads it as the command does."""


@dataclass(frozen=True)
class Finding:
    """A case that was neither accepted nor refused as it should be.

    Attributes:
        case: Its kind and number.
        what: What happened.
    """

    case: str
    what: str


@dataclass
class Report:
    """What came out of many cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def damaged(data: bytes, rng: Random) -> bytes:
    """The bytes with one to four changes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(changed) + 1)
        end = min(len(changed), start + rng.choice((1, 2, 4, 8, 64)))
        match rng.randrange(6):
            case 0:
                changed[start:end] = rng.randbytes(end - start)
            case 1:
                changed[start:end] = b""
            case 2:
                changed[start:start] = rng.randbytes(rng.choice((1, 4, 64)))
            case 3:
                del changed[start:]
            case 4:
                changed[start:start] = changed[start:end] * rng.choice((1, 2, 500))
            case _:
                changed[start:end] = rng.choice((b"\0", b"\xff", b"9", b"[", b'"', b"\n")) * (
                    end - start
                )
    return bytes(changed)


def deranged(data: Any, rng: Random) -> Any:
    """A copy of a structure with one to three values exchanged, taken away or made absurd."""
    changed = deepcopy(data)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(changed))
        if not places:
            break
        holder, key = rng.choice(places)
        match rng.randrange(6):
            case 0:
                del holder[key]
            case 1:
                other, other_key = rng.choice(places)
                holder[key] = deepcopy(other[other_key])
            case 2:
                nested: Any = holder[key]
                for _ in range(rng.choice((1, 40, 80))):
                    nested = [nested]
                holder[key] = nested
            case _:
                holder[key] = deepcopy(rng.choice(ABSURD))
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _json(data: Any, rng: Random) -> bytes:
    """A damaged structure as JSON, its text now and then damaged too."""
    text = json.dumps(deranged(data, rng)).encode()
    return damaged(text, rng) if rng.random() < 0.3 else text


def make_config(rng: Random) -> tuple[str, bytes]:
    """A generation config."""
    match rng.randrange(4):
        case 0:
            return "config.toml", damaged(TOML, rng)
        case 1:
            return "config.yaml", damaged(YAML, rng)
        case 2:
            return "config.yaml", _json(GENERATION_CONFIG, rng)
        case _:
            return "config.json", _json(GENERATION_CONFIG, rng)


def make_lines(rng: Random) -> tuple[str, bytes]:
    """A file of prompts or samples."""
    name, _, content = rng.choice(list(LINES.values()))
    return name, damaged(content, rng)


def make_model_config(rng: Random) -> tuple[str, bytes]:
    """A model config."""
    return "model_config.json", _json(tiny_config(), rng)


def make_embedding(rng: Random) -> tuple[str, bytes]:
    """An audio embedding; half of them with a header that says something else."""
    stream = io.BytesIO()
    np.save(stream, np.ones((3, 4), np.float32))
    content = stream.getvalue()
    if rng.random() < 0.5:
        number = rng.choice((b"-1", b"0", b"99999999999", b"9" * 5000, b"True", b"(", b"3, 4, 3"))
        old, new = rng.choice(((b"3", number), (b"<f4", b"|O"), (b"<f4", b">f2"), (b"{", b"[" * 9)))
        content = content.replace(old, new, 1)
    return "embedding.npy", damaged(content, rng) if rng.random() < 0.7 else content


def _tensors() -> dict[str, torch.Tensor]:
    return {"weight": torch.ones(3, 4), "bias": torch.ones(3)}


def make_safetensors(rng: Random) -> tuple[str, bytes]:
    """A checkpoint of safetensors; half of them with a header that says something else."""
    content = save(_tensors())
    if rng.random() < 0.5:
        (length,) = struct.unpack("<Q", content[:8])
        header = _json(json.loads(content[8 : 8 + length]), rng)
        content = struct.pack("<Q", len(header)) + header + content[8 + length :]
        if rng.random() < 0.7:
            return "model.safetensors", content
    return "model.safetensors", damaged(content, rng)


def make_pickled(rng: Random) -> tuple[str, bytes]:
    """A checkpoint of torch.save; half of them with a pickle that says something else."""
    stream = io.BytesIO()
    torch.save({"state_dict": _tensors(), "step": 3}, stream)
    if rng.random() < 0.5:
        return "model.ckpt", damaged(stream.getvalue(), rng)
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    changed = io.BytesIO()
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(changed, "w", method) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("data.pkl") or rng.random() < 0.1:
                content = damaged(content, rng)
            new.writestr(name, content)
    return "model.ckpt", changed.getvalue()


@cache
def _model() -> ModelConfig:
    return parse_model_config(tiny_config(), "model_config.json")


@cache
def _text_encoder(folder: Path) -> None:
    write_tiny_text_encoder(folder / "t5")


def _plan(data: Any) -> None:
    plugins = installed_plugins()
    plan_jobs(parse_config(data, plugins, "config"), _model(), plugins)


def read_generation_config(path: Path) -> None:
    """To the end of its plan."""
    _plan(read_config_file(path))


def read_lines(path: Path) -> None:
    """Through a config that names it."""
    source, key = next((kind, key) for kind, (name, key, _) in LINES.items() if name == path.name)
    _plan({**GENERATION_CONFIG, "input": {"type": source, key: str(path)}})


def read_model_config(path: Path) -> None:
    """To a model without weights."""
    config = parse_model_config(read_json(path, "model config"), str(path))
    build_model(config, installed_plugins(), path.parent)


def read_embedding(path: Path) -> None:
    """By both of the ways in which a model takes one."""
    conditioner = installed_plugins().conditioners.load("pre_encoded_latent")
    options = conditioner.Options.model_validate({"input_dim": 4, "pool_across_time": True})
    checks: tuple[Callable[[str], None], ...] = (
        check_embedding_file,
        lambda value: conditioner.check(value, options),
    )
    for check in checks:
        try:
            check(str(path))
        except ValueError as error:  # plan_jobs gives it its place
            raise InputError(Problem("audio_prompt", str(error))) from None


def read_checkpoint(path: Path) -> None:
    """Into a network whose weights it should hold."""
    with torch.device("meta"):
        network = nn.Linear(4, 3)
    source = checkpoint.open_checkpoint(path)
    names = checkpoint.model_names(source.shapes())
    checkpoint.load(
        source, names, {"": network}, device=torch.device("cpu"), dtypes={"": torch.float32}
    )
    network(torch.ones(1, 4))


KINDS: Mapping[str, tuple[Make, Read]] = {
    "config": (make_config, read_generation_config),
    "lines": (make_lines, read_lines),
    "model": (make_model_config, read_model_config),
    "embedding": (make_embedding, read_embedding),
    "safetensors": (make_safetensors, read_checkpoint),
    "pickled": (make_pickled, read_checkpoint),
}


def fuzz(kind: str, numbers: range, seed: int, folder: Path) -> Report:
    """Runs the cases of a kind with these numbers.

    Args:
        kind: One of `KINDS`.
        numbers: Which cases.
        seed: Of all cases.
        folder: Where to write their files.
    """
    make, read = KINDS[kind]
    _text_encoder(folder)  # imports much, which is no case's fault
    report = Report()
    for number in numbers:
        name, content = make(random.Random(f"{seed}/{kind}/{number}"))  # noqa: S311
        path = folder / name
        path.write_bytes(content)
        started = time.process_time()
        try:
            read(path)
            outcome = "accepted"
        except KeyboardInterrupt:
            raise
        except AudiogenError:
            outcome = "refused"
        except BaseException:
            outcome = "failed"
            what = "".join(traceback.format_exc(limit=-3))
            report.findings.append(Finding(f"{kind}/{number}", what))
        if (seconds := time.process_time() - started) > MAX_SECONDS:
            report.findings.append(Finding(f"{kind}/{number}", f"took {seconds:.1f} s"))
        report.outcomes[outcome] += 1
    return report


def main() -> None:
    """Prints what it found; exits with 1 where it found something."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=1000, help="cases of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one case, such as embedding/17, or all cases of a kind")
    options = parser.parse_args()
    only, _, number = (options.only or "").partition("/")
    numbers = range(int(number), int(number) + 1) if number else range(options.count)
    found = False
    with tempfile.TemporaryDirectory() as folder:
        for kind in [only] if only else KINDS:
            started = time.process_time()
            report = fuzz(kind, numbers, options.seed, Path(folder))
            outcomes = ", ".join(f"{count} {name}" for name, count in report.outcomes.items())
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            print(f"{kind}: {outcomes}; {time.process_time() - started:.1f} s, {memory} MiB")
            for finding in report.findings:
                found = True
                print(f"  {finding.case}: {finding.what}")
    sys.exit(found)


if __name__ == "__main__":
    main()
