"""Outputs are encoded while the next ones are made, and finished between the steps of these."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audiogen_core import making
from audiogen_core.models.model import Model
from audiogen_core.runfolder.folder import OpenFolder
from audiogen_plugins.encoders.wav import Wav
from tests.conftest import Command, Result, local_model

PATIENCE = 120.0
"""Seconds that one thread waits for another; none of it is waited when all is well."""


@pytest.fixture
def generate(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> Callable[[], Result]:
    """Makes three outputs, each in a batch of its own."""
    config = write_config(
        input={"type": "config", "samples": [{"prompt": str(number)} for number in range(3)]},
        output={"output_dir": str(tmp_path / "out"), "file_naming": "prompt"},
    )
    options = [*local_model(tiny_model), "--generation-config", config, "--device", "cpu"]
    return lambda: audiogen("generate", *options, "--max-batch", "1")


def in_second_batch(monkeypatch: pytest.MonkeyPatch, do: Callable[[Any], None]) -> None:
    """Does something, with the observer of the second batch, before that is made."""
    make_audio, calls = making.make_audio, iter(range(100))

    def make(model: Any, batch: Any, observer: Any) -> Any:
        if next(calls) == 1:
            do(observer)
        return make_audio(model, batch, observer)

    monkeypatch.setattr(making, "make_audio", make)


def held_encoder(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, list[bool]]:
    """An encoder that waits for an event before the first output.

    Returns:
        The event, and whether each of those that waited saw it.
    """
    encode, event, seen = Wav.encode, threading.Event(), list[bool]()

    def held(self: Wav, *arguments: Any) -> None:
        if not seen:
            seen.append(event.wait(PATIENCE))
        encode(self, *arguments)

    monkeypatch.setattr(Wav, "encode", held)
    return event, seen


def test_an_output_is_encoded_while_the_next_batch_is_made(
    generate: Callable[[], Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first encoding goes on when the second batch is begun, and their order is kept."""
    begun, seen = held_encoder(monkeypatch)
    in_second_batch(monkeypatch, lambda _: begun.set())
    result = generate()
    assert (result.code, seen) == (0, [True])
    assert result.out.splitlines() == [str(tmp_path / "out" / f"{one}.wav") for one in range(3)]


def test_what_is_encoded_is_finished_at_the_next_step(
    generate: Callable[[], Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its file and metadata stand long before the next batch is made."""
    encode, encoded = Wav.encode, threading.Event()

    def tells(self: Wav, *arguments: Any) -> None:
        encode(self, *arguments)
        encoded.set()

    monkeypatch.setattr(Wav, "encode", tells)
    stood: list[bool] = []

    def look(observer: Any) -> None:
        assert encoded.wait(PATIENCE)
        for _ in range(1000):  # the file is synced after it is encoded
            observer.step(1, 2)
            if (tmp_path / "out" / "0.json").exists():
                break
            threading.Event().wait(0.05)
        stood.extend((tmp_path / "out" / f"0{ending}").exists() for ending in (".wav", ".json"))

    in_second_batch(monkeypatch, look)
    assert generate().code == 0
    assert stood == [True, True]


def test_one_batch_at_most_is_whole_and_not_written(
    generate: Callable[[], Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before a batch is decoded, the one before it stands, however long it takes to encode."""
    encode, decode = Wav.encode, Model.decode
    stood: list[int] = []

    def slowly(self: Wav, *arguments: Any) -> None:
        threading.Event().wait(0.5)
        encode(self, *arguments)

    def looks(self: Model, latents: Any) -> Any:
        stood.append(len(list((tmp_path / "out").glob("*.json"))))
        return decode(self, latents)

    monkeypatch.setattr(Wav, "encode", slowly)
    monkeypatch.setattr(Model, "decode", looks)
    assert generate().code == 0
    assert stood == [0, 1, 2]


# The signal may come where a file or a folder has been opened, and its block has not begun yet.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_signal_amid_the_encoding_loses_nothing(
    generate: Callable[[], Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is being encoded is finished, what is being sampled dropped, and nothing left over."""
    encode = Wav.encode

    def interrupted(self: Wav, *arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(0.2)
        encode(self, *arguments)

    monkeypatch.setattr(Wav, "encode", interrupted)
    assert generate().code == 130
    files = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert files == {"0.wav", "0.json"}


def test_what_cannot_be_published_leaves_no_temporary(
    generate: Callable[[], Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that is full when an output is put in its place ends the run, amid the next batch."""

    def full(self: OpenFolder, name: str, identity: str) -> None:
        del self, name, identity
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(OpenFolder, "begin", full)
    result = generate()
    assert (result.code, result.out) == (1, "")
    assert "No space left on device" in result.err
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_file()]
