"""The complete example at the head of every interface is one."""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
import types
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import Field

from audiogen_core import hookimpl, hookspecs
from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces import sampler
from audiogen_core.job import Job
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import KINDS, Kind, Origin
from audiogen_core.testing.post_processors import check_post_processor
from audiogen_core.testing.samplers import check_sampler


def example(kind: Kind) -> types.ModuleType:
    """The interface's example as a module, with what its file imports at hand."""
    interface = importlib.import_module(kind.interface.partition(":")[0])
    text = interface.__doc__ or ""
    block = text.partition("::\n")[2]
    code = "\n".join(line for line in block.splitlines() if not line or line.startswith("    "))
    module = types.ModuleType("example")
    module.__dict__.update(vars(interface))
    module.__dict__.update(
        hookimpl=hookimpl, pairwise=pairwise, sys=sys, torch=torch, nn=torch.nn,
        Tensor=torch.Tensor, np=np, Field=Field, FloatArray=FloatArray, Job=Job,
        __name__="example",
    )  # fmt: skip
    exec(compile(textwrap.dedent(code), "example", "exec", flags=0x1000000), module.__dict__)  # noqa: S102
    return module


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_example_registers(kind: Kind) -> None:
    """Each example is a plugin that the manager takes and the registry loads."""
    manager = PluginManager()
    manager.register(example(kind), "example", Origin("somebody", "1"))
    registry = next(one for one in manager.registries() if one.kind is kind)
    (name,) = registry.names()
    plugin = registry.load(name)
    assert not inspect.isabstract(plugin)
    assert plugin.__doc__


def test_the_example_sampler_keeps_the_contract() -> None:
    """It converges at the order that it claims, and so on."""
    module = example(next(kind for kind in KINDS if kind.name == "sampler"))
    check_sampler(module.Euler)


def test_the_example_post_processor_keeps_the_contract() -> None:
    """It takes whatever audio there is."""
    module = example(next(kind for kind in KINDS if kind.name == "post-processor"))
    check_post_processor(module.Delay())


def test_the_example_observer_writes_its_line(tmp_path: Path) -> None:
    """It does what it says, and nothing where it is told of anything else."""
    module = example(next(kind for kind in KINDS if kind.name == "observer"))
    log = module.Log(module.Log.Options(path=str(tmp_path / "log")))
    log.stage("decoding")
    log.sample_failed(types.SimpleNamespace(stem="kick"), "OSError: full")
    log.close()
    assert (tmp_path / "log").read_text(encoding="utf-8") == "kick: OSError: full\n"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_documented_hook(kind: Kind) -> None:
    """The hook stands in the specifications, takes a registrar, and says when it is used."""
    hook = getattr(hookspecs, kind.hook)
    assert list(inspect.signature(hook).parameters) == ["register"]
    assert hook.__doc__


def test_samplers_come_in_three_forms() -> None:
    """Each form of sampler names the objectives that it is for."""
    forms = (sampler.SigmaSampler, sampler.VSampler, sampler.FlowSampler)
    assert {name for form in forms for name in form.OBJECTIVES} == {
        "v", "rectified_flow", "rf_denoiser"
    }  # fmt: skip
