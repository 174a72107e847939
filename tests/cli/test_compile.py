"""``--compile``: the network's blocks by `torch.compile`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from audiogen_core.testing.encoders import decode
from tests.conftest import DATA, Command, audiogen_process, local_model
from tests.test_goldens import assert_matches, ratio_in_decibels, write_config

needs_a_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++ here")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that these tests share."""
    return tmp_path_factory.mktemp("cache")


def at(cache: Path) -> dict[str, str]:
    """The environment that says where the cache is; torch itself sets the other variable."""
    return {"XDG_CACHE_HOME": str(cache), "TORCHINDUCTOR_CACHE_DIR": ""}


def code_in(cache: Path) -> dict[Path, int]:
    """The compiled code that a cache folder holds, and when each was made."""
    return {one: one.stat().st_mtime_ns for one in cache.glob("audiogen/compiled/**/*.so")}


@needs_a_compiler
@pytest.mark.slow
def test_a_block_is_one_piece(cache: Path) -> None:
    """Nothing in it has to be left to Python, and all blocks of a network share its code."""
    script = """
import torch
from torch._dynamo.utils import counters
from audiogen_core.interfaces.backbone import BackboneInputs
from audiogen_core.models.compiling import compile_blocks
from audiogen_core.models.linear import make_fast
from audiogen_core.options import validate
from audiogen_plugins.backbones.dit import DiffusionTransformer

options = {"io_channels": 4, "embed_dim": 128, "depth": 3, "num_heads": 2, "cond_token_dim": 128}
network = DiffusionTransformer.build(validate(DiffusionTransformer.Options, options))
network.requires_grad_(False)
make_fast(network)
with torch.inference_mode():
    inputs = network.prepared(BackboneInputs(torch.randn(2, 5, 128)))
    compile_blocks(network)
    network(torch.randn(2, 4, 16), torch.ones(2), inputs)
print(sum(counters["graph_break"].values()), counters["stats"]["unique_graphs"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.split() == ["0", "1"], done.stderr


@needs_a_compiler
@pytest.mark.slow
def test_a_golden_holds(cache: Path, tmp_path: Path) -> None:
    """What the reference makes, modulated and with grouped heads."""
    case = DATA / "golden" / "flow_grouped"
    run = next(iter(json.loads((case / "runs.json").read_text(encoding="utf-8")).values()))
    config = write_config(run, tmp_path)
    arguments = [*local_model(Path()), "--generation-config", config, "--device", "cpu"]
    result = audiogen_process("generate", *arguments, "--compile", cwd=case, **at(cache))
    assert result.code == 0, result.err
    assert_matches(case, run, Path(result.out.strip()))


@needs_a_compiler
@pytest.mark.slow
def test_it_is_the_same_sound(audiogen: Command, cache: Path, tmp_path: Path) -> None:
    """Nearly, and so another output, which can be made again without compiling again."""
    samples = ["--prompt", "a short snare", "--prompt", "wind", "--prompt", "a low kick drum"]
    wishes = ["--set", "generation.seed=5", "--set", "generation.steps=4", "--max-batch", "2",
              "--device", "cpu", "-q"]  # fmt: skip
    plain = audiogen("generate", *samples, *wishes, "--out", tmp_path / "plain")
    assert plain.code == 0, plain.err
    result = audiogen_process(
        "generate", *samples, *wishes, "--out", tmp_path / "compiled", "--compile",
        **at(cache),
    )  # fmt: skip
    assert result.code == 0, result.err
    compiled = [Path(one) for one in result.out.split("\n") if one]
    assert len(compiled) == 3
    for one in compiled:
        wanted, found = decode(tmp_path / "plain" / one.name)[0], decode(one)[0]
        assert 70 < ratio_in_decibels(np.round(wanted * 32767), found) < 130
    metadata = json.loads(compiled[2].with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["model"]["compile"] is True
    exact = json.loads((tmp_path / "plain" / compiled[2].name).with_suffix(".json").read_text())
    assert metadata["identity"] != exact["identity"]
    assert "compiled" in audiogen("show", compiled[2]).out

    known = code_in(cache)
    again = audiogen_process("again", compiled[0], "-q", **at(cache))
    assert again.code == 0, again.err
    assert Path(again.out.strip()).read_bytes() == compiled[0].read_bytes()
    assert known
    assert code_in(cache) == known

    missing = audiogen_process(
        "again",
        compiled[0],
        "--out",
        tmp_path / "plainly",
        **at(tmp_path),
        CXX=str(tmp_path / "no"),
    )
    assert missing.code == 0, missing.err
    assert "note: --compile: torch.compile does not work here" in missing.err
    plainly = Path(missing.out.strip())
    assert "compile" not in json.loads(plainly.with_suffix(".json").read_text())["model"]


def test_without_a_compiler(tiny_model: Path, tmp_path: Path) -> None:
    """It is said before anything is loaded or written."""
    result = audiogen_process(
        "generate", *local_model(tiny_model), "--prompt", "x", "--out", tmp_path / "out",
        "--device", "cpu", "--compile",
        CXX=str(tmp_path / "none"), **at(tmp_path),
    )  # fmt: skip
    assert (result.code, result.out) == (2, "")
    assert "--compile: torch.compile does not work here, for which torch needs a C++" in result.err
    assert "TORCHDYNAMO_VERBOSE" not in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_not_with_integers(tiny_model: Path, audiogen: Command, tmp_path: Path) -> None:
    """It would gain nothing."""
    arguments = ["generate", *local_model(tiny_model), "--prompt", "x", "--out", tmp_path / "out"]
    result = audiogen(*arguments, "--device", "cpu", "--compile", "--quantize", "int8")
    assert (result.code, result.out) == (2, "")
    assert "--compile: gains nothing with --quantize int8: choose one of them" in result.err
    assert not (tmp_path / "out").exists()
