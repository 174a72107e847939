"""Observers: what they are told, and that they can do no harm."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from audiogen_core.hooks import PluginWarning
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.options import PluginOptions
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.registry import Origin
from audiogen_core.testing.encoders import decode
from tests.conftest import Command, local_model

PROMPTS = {"type": "config", "samples": [{"prompt": "kick"}, {"prompt": "snare"}]}
EVENTS: list[tuple[Any, ...]] = []


class _Diary(Observer):
    """Remembers everything; fails where it is told to."""

    NAME = "diary"

    class Options(PluginOptions):
        fails: bool = Field(False, description="Whether it fails.")

    options: Options

    def _write(self, *event: Any) -> None:
        EVENTS.append(event)
        if self.options.fails:
            raise RuntimeError("out of ink")

    def stage(self, what: str) -> None:
        self._write("stage", what)

    def run_started(self, config: Any, jobs: Sequence[Any]) -> None:
        self._write("run started", config.encoder.NAME, [job.stem for job in jobs])

    def batch_started(self, jobs: Sequence[Any]) -> None:
        self._write("batch started", len(jobs))

    def step(self, done: int, total: int | None) -> None:
        self._write("step", done, total)

    def sample_done(self, output: Output) -> None:
        self._write("sample done", output)

    def sample_failed(self, job: Any, cause: str) -> None:
        self._write("sample failed", job.stem, cause)

    def run_ended(self, outcome: Any) -> None:
        self._write("run ended", len(outcome.written), len(outcome.failures), outcome.left)

    def close(self) -> None:
        self._write("close")


class _Stamp(Observer):
    """Something that every output must have, and that cannot be had."""

    NAME = "stamp"
    REQUIRED = True

    def sample_done(self, output: Output) -> None:
        raise OSError(f"no stamps left for {output.path.name}")


@pytest.fixture(autouse=True)
def _guests() -> Iterator[None]:
    registry = installed_plugins().observers
    EVENTS.clear()
    for one in (_Diary, _Stamp):
        registry.add(one.NAME, one, Origin("somebody", "1"))
    yield
    for one in (_Diary, _Stamp):
        del registry._registrations[one.NAME]
        registry._loaded.pop(one.NAME, None)


def test_an_observer_is_told_how_a_run_goes(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """From the first stage to the end, with what succeeds and what fails."""
    (tmp_path / "out" / "snare.cfg7.0.1.wav").mkdir(parents=True)
    config = write_config(input=PROMPTS, output={"observers": ["diary"]})
    arguments = [*local_model(tiny_model), "--generation-config", config]
    result = audiogen("generate", *arguments, "--on-existing", "overwrite")
    assert result.code == 3
    assert EVENTS[0] == ("stage", "reading the model config")
    start = next(index for index, one in enumerate(EVENTS) if one[0] == "run started")
    assert EVENTS[start:start + 5] == [
        ("run started", "wav", ["kick.cfg7.0.1", "snare.cfg7.0.1"]),
        ("batch started", 2), ("step", 1, 2), ("step", 2, 2), ("stage", "decoding"),
    ]  # fmt: skip
    (done, output), (failed, stem, cause), *end = EVENTS[start + 5 :]
    assert (done, failed, stem) == ("sample done", "sample failed", "snare.cfg7.0.1")
    assert cause.startswith("IsADirectoryError")
    assert end == [("run ended", 1, 1, 0), ("close",)]
    assert output.path == tmp_path / "out" / "kick.cfg7.0.1.wav"
    assert output.audio.shape == decode(output.path)[0].shape
    assert output.metadata == json.loads(output.path.with_suffix(".json").read_text("utf-8"))
    assert output.metadata["software"]["plugins"]["observer diary"] == "somebody 1"
    assert output.metadata["software"]["plugins"]["observer metadata"].startswith("audiogen ")


def test_it_is_closed_where_the_run_never_begins(
    write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """Nothing was started, so nothing ends."""
    config = write_config(output={"observers": ["diary"]})
    result = audiogen("generate", *local_model(tmp_path), "--generation-config", config)
    assert result.code == 2
    assert EVENTS == [("stage", "reading the model config"), ("close",)]


def test_an_observer_that_fails_costs_nothing(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command
) -> None:
    """One warning that says whose it is; every output is made, and it is still told."""
    config = write_config(input=PROMPTS, output={"observers": [{"name": "diary", "fails": True}]})
    with warnings.catch_warnings():
        warnings.simplefilter("always", PluginWarning)
        result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 2
    assert result.err.count("warning: ") == 1
    assert (
        "warning: observer 'diary' of somebody 1 failed, and the run goes on: RuntimeError: "
        "out of ink"
    ) in result.err
    assert EVENTS[-2:] == [("run ended", 2, 0, 0), ("close",)]


def test_what_an_output_needs_fails_it(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command
) -> None:
    """A required observer decides whether an output is done; the others hear of it as it is."""
    config = write_config(output={"observers": ["diary", "stamp"]})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert (result.code, result.out) == (3, "")
    assert "OSError: no stamps left for " in result.err
    assert [one[0] for one in EVENTS if one[0].startswith("sample")] == ["sample failed"]


def test_an_output_without_its_metadata_is_not_done(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """What cannot be described beside it has failed."""
    (tmp_path / "out" / "a jazz piece.cfg7.0.1.json").mkdir(parents=True)
    arguments = [*local_model(tiny_model), "--generation-config", write_config()]
    result = audiogen("generate", *arguments, "--on-existing", "overwrite")
    assert (result.code, result.out) == (3, "")
    assert "IsADirectoryError" in result.err


def test_built_ins_can_be_named(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """``metadata`` as by ``save_metadata``; ``progress`` in place of the command's own."""
    config = write_config(
        output={
            "save_metadata": False,
            "observers": ["metadata", {"name": "progress", "display": "quiet"}],
        }
    )
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert (result.code, result.err) == (0, "")
    assert len(result.out.splitlines()) == 1
    assert (tmp_path / "out" / "a jazz piece.cfg7.0.1.json").is_file()


@pytest.mark.parametrize(
    ("observers", "message"),
    [
        (["diray"], "output.observers[0]: 'diray' is not a known observer (did you mean 'diary'?)"),
        (["metadata", {"name": "progress", "display": "baar"}],
         "output.observers[1].display: 'baar' is not allowed (did you mean 'bar'?); allowed: "),
        (["metadata", {"name": "diary", "failz": True}],
         "output.observers[1].failz: unknown key (did you mean 'fails'?); allowed: 'fails'"),
        ([{}], "output.observers[0].name: is required, but missing"),
        ("diary", "output.observers: must be a list, not a string"),
    ],
)  # fmt: skip
def test_wrong_observers_are_refused_with_their_place(
    observers: Any, message: str, write_config: Callable[..., Path], audiogen: Command,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Before a model is even looked for."""
    config = write_config(output={"observers": observers})
    result = audiogen("generate", *local_model(tmp_path), "--generation-config", config)
    assert result.code == 2
    assert message in result.err
    assert not EVENTS
