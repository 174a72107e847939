"""What is freed is kept while it is of use, and given back when it is not."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.conftest import report_of

SCRIPT = """
import json, resource
from pathlib import Path
import torch
from audiogen_core.memory import give_back, keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(10 * 2**20)  # 40 MiB, above what glibc keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20

faults()
told = [faults()]
keep_freed()
faults()
told += [faults(), resident()]
give_back()
print(json.dumps([*told, resident()]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    """What is allocated again and again is cleared by the system once."""
    alone, kept, before, after = report_of("-c", SCRIPT)
    assert kept < 100 < alone
    assert before - after >= 30


LOADING = """
import json, re, sys
from pathlib import Path
import torch
from torch import nn
from audiogen_core.models import checkpoint
from audiogen_core.models.quantize import quantize

path, number, rounded = Path(sys.argv[1]), getattr(torch, sys.argv[2]), sys.argv[3] == "int8"

def peak():
    # Not what getrusage tells: that begins with the memory of the process that forked this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

def load():
    checkpoint.AT_ONCE = 16 << 20
    found = checkpoint.open_checkpoint(path)
    with torch.device("meta"):
        layers = nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(len(found.shapes()) // 2)))
    if rounded:
        quantize(layers)
    names = {name: name for name in found.shapes()}
    checkpoint.load(found, names, {"": layers}, device=torch.device("cpu"), dtypes={"": number})
    with torch.inference_mode():
        return layers(torch.ones(1, 1, 1024, dtype=number)).float().norm().item()

nn.Linear(1024, 1024)(torch.ones(1, 1, 1024))
before = peak()
told = load()
print(json.dumps([peak() - before, told]))
"""

LAYERS = 64
"""Of 4 MiB each."""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts as Linux does")
def test_weights_in_fewer_bits_are_in_memory_once(tmp_path: Path) -> None:
    """What they were made from goes, piece by piece, and they compute what float32 computes."""
    torch.manual_seed(0)
    layers = nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(LAYERS)))
    for layer in layers.parameters():
        nn.init.normal_(layer, std=1024**-0.5)
    save_file(layers.state_dict(), tmp_path / "model.safetensors")
    whole = LAYERS * 4
    with torch.inference_mode():
        wanted = layers(torch.ones(1, 1, 1024)).norm().item()
    path = tmp_path / "model.safetensors"
    grown, found = report_of("-c", LOADING, path, "bfloat16", "no")
    assert grown < 0.9 * whole, f"{grown} MiB of {whole}"
    assert found == pytest.approx(wanted, rel=0.05)
    # Rounding to integers takes memory of its own, now more and now less.
    _, found = report_of("-c", LOADING, path, "float32", "int8")
    assert found == pytest.approx(wanted, rel=0.05)
