"""Plugins of others that fail while they work: the message names them, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import field_validator

from audiogen_core import hookimpl
from audiogen_core.errors import UsageError
from audiogen_core.executing.local import Local
from audiogen_core.interfaces.executor import Event, Finished
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.interfaces.naming import NamingStrategy
from audiogen_core.interfaces.observer import Observer
from audiogen_core.options import PluginOptions
from audiogen_core.plugin_manager import Origin, PluginManager
from audiogen_core.registry import NAMING
from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import tones
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from audiogen_plugins.conditioners.number import NumberConditioner
from audiogen_plugins.embedders.clap import Clap
from audiogen_plugins.encoders.wav import Wav
from audiogen_plugins.samplers.k_heun import KHeun as Euler
from tests.conftest import Command, Result, local_model

Install = Callable[..., None]
Generate = Callable[..., Result]
AT_WORK = "guest 1.0 failed: RuntimeError: no luck"


def fail(*_: Any, **__: Any) -> Any:
    """Whatever a plugin does, this is what comes of it."""
    raise RuntimeError("no luck")


def leave(*_: Any, **__: Any) -> Any:
    """Ends the process, with success."""
    raise SystemExit(0)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Registers a class beside the built-in plugins, for the command in this process."""

    def registered(hook: str, plugin: Any, name: Any = "guest") -> None:
        manager = PluginManager()
        manager.load_entry_points("*")

        def implementation(register: Any) -> None:
            register(name, plugin)

        implementation.__name__ = hook
        module = SimpleNamespace(**{hook: hookimpl(implementation)})
        manager.register(module, "guest", Origin("guest", "1.0"))
        monkeypatch.setattr("audiogen_core.plugin_manager._installed", lambda _: manager)

    return registered


@pytest.fixture
def generate(
    audiogen: Command, tiny_model: Path, write_config: Callable[..., Path], tmp_path: Path
) -> Generate:
    """Runs a config with the tiny model, changed by keyword."""

    def run(command: str = "generate", executor: str | None = None, **sections: Any) -> Result:
        config = write_config(**sections)
        arguments = [] if executor is None else ["--executor", executor, "--max-batch", "1"]
        return audiogen(
            command, *local_model(tiny_model), "--generation-config", config, *arguments,
            cwd=tmp_path,
        )  # fmt: skip

    return run


def naming(**methods: Any) -> type[NamingStrategy]:
    """A strategy that fails in a way of its own."""
    return type("Guest", (NamingStrategy,), {"NAME": "guest", "stem": lambda *_: "x", **methods})


def source(samples: Any) -> type[InputSource]:
    """A source that fails in a way of its own."""
    return type("Guest", (InputSource,), {"NAME": "guest", "samples": samples})


def encoder(**methods: Any) -> type[Wav]:
    """WAV that fails in a way of its own."""
    return type("Guest", (Wav,), {"NAME": "guest", **methods})


@pytest.mark.parametrize(
    ("strategy", "cause"),
    [
        (naming(__init__=fail), "RuntimeError: no luck"),
        (naming(stem=fail), "RuntimeError: no luck"),
        (naming(stem=leave), "SystemExit: 0"),
        (naming(stem=lambda *_: None), "TypeError: its stem is null, and no string"),
        (naming(stem=lambda *_: 7), "TypeError: its stem is a whole number, and no string"),
    ],
)
def test_naming_that_fails(
    strategy: type[NamingStrategy], cause: str, install: Install, generate: Generate, tmp_path: Path
) -> None:
    """One message, before a model is loaded; nothing is written."""
    install("audiogen_naming", strategy)
    result = generate(output={"file_naming": "guest"})
    assert (result.code, result.out) == (2, "")
    where = f"{tmp_path / 'config.json'}: output.file_naming"
    assert f"{where}: naming strategy 'guest' of guest 1.0 failed: {cause}\n" in result.err
    assert not (tmp_path / "out").exists()


def nothing(_: Any) -> Iterator[Sample]:
    """Yields no sample."""
    yield from ()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (fail, f"input: input source 'guest' of {AT_WORK}"),
        (lambda _: None, "input: input source 'guest' of guest 1.0 failed: TypeError: 'NoneType'"),
        (lambda _: [{"prompt": "a"}], "TypeError: it yields an object, and no Sample"),
        (lambda _: [Sample("text", "1")], "a Sample without values by name, or without a place"),
        (lambda _: [Sample({1: 2}, "1")], "a Sample without values by name, or without a place"),
        (lambda _: [Sample({}, None)], "a Sample without values by name, or without a place"),
        (nothing, "input: holds no sample"),
    ],
)
@pytest.mark.parametrize("command", ["generate", "plan"])
def test_a_source_that_fails(
    samples: Any, message: str, command: str, install: Install, generate: Generate, tmp_path: Path
) -> None:
    """What is no sample is told like what is no file."""
    install("audiogen_inputs", source(samples))
    result = generate(command, input={"type": "guest"})
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ending", [".json", ".JSON", ".opus.ogg", "raw", "", ".a/b", ".", None])
def test_endings_that_no_file_can_have(
    ending: Any, install: Install, generate: Generate, tmp_path: Path
) -> None:
    """Above all that of the metadata, which would take the audio's place."""
    install("audiogen_encoders", encoder(EXTENSION=ending))
    result = generate(output={"file_format": "guest"})
    assert (result.code, result.out) == (2, "")
    said = f"must have an EXTENSION like '.wav', and not '.json', but has {ending!r}"
    assert f"encoder 'guest' of guest 1.0 {said}" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("command", "method"), [("generate", "check"), ("plan", "expected_bytes")])
def test_an_encoder_that_fails(
    command: str, method: str, install: Install, generate: Generate
) -> None:
    """Before anything is loaded."""
    install("audiogen_encoders", encoder(**{method: fail}))
    result = generate(command, output={"file_format": "guest"})
    assert (result.code, result.out) == (2, "")
    assert f"output.file_format: encoder 'guest' of {AT_WORK}" in result.err


@pytest.mark.parametrize("method", ["run_started", "sample_done", "run_ended", "close"])
def test_an_observer_that_leaves(method: str, install: Install, generate: Generate) -> None:
    """It is a warning, and costs no output."""
    install("audiogen_observers", type("Guest", (Observer,), {"NAME": "guest", method: leave}))
    result = generate(output={"observers": ["guest"]})
    assert result.code == 0, result.err
    assert Path(result.out.strip()).is_file()
    told = "warning: observer 'guest' of guest 1.0 failed, and the run goes on: SystemExit: 0"
    assert result.err.count(told) == 1


def test_an_encoder_that_leaves_costs_its_outputs(install: Install, generate: Generate) -> None:
    """As any other failure does."""
    install("audiogen_encoders", encoder(encode=leave))
    result = generate(output={"file_format": "guest"})
    assert result.code == 3
    assert "SystemExit: 0" in result.err


@pytest.mark.parametrize("name", [5, None, "", "two\nlines"])
def test_names_that_are_none(name: Any, install: Install, audiogen: Command) -> None:
    """The list tells of them, in its own form."""
    with pytest.warns(match="must have a string for its name"):
        install("audiogen_naming", naming(), name)
    result = audiogen("plugins", "list", "--kind", NAMING.slug)
    assert result.code == 0
    assert "failed" in result.out
    assert f"naming strategy {name!r} of guest 1.0 must have a string" in result.out


def test_all_settings_can_be_in_names(generate: Generate) -> None:
    """Those that have no value are left out, and those of the sampler are there."""
    template = "{prompt}{init_noise_level}{sample_size} {s_churn} {steps}"
    result = generate(
        generation={"sampler_type": "k-heun", "s_churn": 0.5, "steps": 2},
        output={"file_naming": {"name": "template", "template": template}},
    )
    assert result.code == 0, result.err
    assert Path(result.out.strip()).stem == "a jazz piece 0.5 2"


def test_a_sampler_that_fails(install: Install, generate: Generate, tmp_path: Path) -> None:
    """While it is made, and while its options are checked: before a model is loaded."""
    install("audiogen_samplers", type("Guest", (Euler,), {"NAME": "guest", "__init__": fail}))
    result = generate(generation={"sampler_type": "guest"})
    assert (result.code, result.out) == (2, "")
    assert f"generation.sampler_type: sampler 'guest' of {AT_WORK}" in result.err
    assert not (tmp_path / "out").exists()


class Fussy(PluginOptions):
    """Options whose check raises what no check should."""

    depth: int = 1

    @field_validator("depth")
    @classmethod
    def _look_up(cls, value: int) -> int:
        return {1: 1}[value]


@pytest.mark.parametrize(
    ("hook", "plugin", "sections", "where"),
    [
        (
            "audiogen_samplers",
            type("Guest", (Euler,), {"NAME": "guest", "Options": Fussy}),
            {"generation": {"sampler_type": "guest", "depth": 2}},
            "generation.sampler_type: sampler",
        ),
        (
            "audiogen_encoders",
            encoder(Options=Fussy),
            {"output": {"file_format": {"name": "guest", "depth": 2}}},
            "output.file_format: encoder",
        ),
    ],
)
def test_a_check_of_options_that_fails(
    hook: str, plugin: Any, sections: Any, where: str, install: Install, generate: Generate
) -> None:
    """It is the plugin's fault, and one message."""
    install(hook, plugin)
    result = generate(**sections)
    assert (result.code, result.out) == (2, "")
    assert f"{where} 'guest' of guest 1.0 failed: KeyError: 2" in result.err


def test_a_conditioner_that_fails_to_check(
    install: Install, audiogen: Command, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """A value that its author never thought of is told like any that is wrong."""

    def check(value: Any, options: Any) -> None:
        del options
        float(value)

    guest = type("Guest", (NumberConditioner,), {"NAME": "guest", "check": staticmethod(check)})
    install("audiogen_conditioners", guest)
    data = tiny_config()
    data["model"]["conditioning"]["configs"][1] |= {"type": "guest", "id": "start"}
    for key in ("cross_attention_cond_ids", "global_cond_ids"):
        ids = data["model"]["diffusion"][key]
        ids[ids.index("seconds_start")] = "start"
    model = write_tiny_model(tmp_path / "model", data)
    config = write_config(input={"type": "config", "samples": [{"prompt": "a", "start": [1]}]})
    result = audiogen("plan", *local_model(model), "--generation-config", config)
    assert (result.code, result.out) == (2, "")
    whose = "conditioner 'guest' of guest 1.0"
    assert f"input.samples[0].start: {whose} failed to check it: TypeError" in result.err


@pytest.mark.parametrize(
    ("hook", "base", "kind", "key"),
    [
        ("audiogen_samplers", Euler, "sampler", "rho"),
        ("audiogen_inputs", InputSource, "input source", "type"),
        ("audiogen_encoders", Wav, "encoder", "name"),
    ],
)
def test_options_that_mean_something_else_where_they_stand(
    hook: str, base: Any, kind: str, key: str, install: Install, audiogen: Command
) -> None:
    """Nobody could set them."""
    options = type("Options", (PluginOptions,), {"__annotations__": {key: float}, key: 3.0})
    methods = {"samples": lambda _: iter(())}
    install(hook, type("Guest", (base,), {"NAME": "guest", "Options": options, **methods}))
    result = audiogen("plugins", "show", kind.replace(" ", "-"), "guest")
    assert result.code != 0
    assert f"{kind} 'guest' of guest 1.0 cannot have options called '{key}'" in result.err


@pytest.mark.parametrize("method", ["start", "__init__"])
def test_an_executor_that_fails(method: str, install: Install, generate: Generate) -> None:
    """One message, and nothing is written."""
    install("audiogen_executors", type("Guest", (Local,), {"NAME": "guest", method: fail}))
    result = generate("generate", executor="guest")
    assert (result.code, result.out) == (2, "")
    assert f"--executor: executor 'guest' of {AT_WORK}" in result.err


@pytest.mark.parametrize("method", ["load", "__init__"])
def test_an_embedder_that_fails(
    method: str, install: Install, audiogen: Command, tmp_path: Path
) -> None:
    """One message, and nothing is written."""
    install("audiogen_embedders", type("Guest", (Clap,), {"NAME": "guest", method: fail}))
    Wav().encode(tones(0.1), 44100, tmp_path / "x.wav", Tags())
    result = audiogen("embed", tmp_path / "x.wav", "--out", tmp_path / "out", "--embedder", "guest")
    assert (result.code, result.out) == (2, "")
    assert f"--embedder: embedder 'guest' of {AT_WORK}" in result.err
    assert not (tmp_path / "out").exists()


class Gone(Local):
    """An executor that can make one output, and finds then that nothing more can be had."""

    NAME = "guest"
    _finished = False

    def events(self, seconds: float) -> Iterator[Event]:
        """Those of the first batch."""
        if self._finished:
            raise UsageError("the checkpoint is gone")
        for event in super().events(seconds):
            self._finished |= isinstance(event, Finished)
            yield event


def test_a_run_that_is_refused_in_the_midst_of_it(
    install: Install, generate: Generate, tmp_path: Path
) -> None:
    """What was written is told, and the code says that something was."""
    install("audiogen_executors", Gone)
    samples = [{"prompt": text} for text in "ab"]
    result = generate("generate", executor="guest", input={"type": "config", "samples": samples})
    assert result.code == 1
    assert "error: the checkpoint is gone: 1 written, 1 left" in result.err
    assert Path(result.out.strip()).is_file()
