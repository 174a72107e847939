"""What is freed is kept while it is of use, and given back when it is not."""

from __future__ import annotations

import platform

import pytest

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
    assert alone > 8 * 100
    assert kept < 100
    assert before - after >= 30
