"""``output.post_processing``, as users meet it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core import hookimpl
from audiogen_core.interfaces.post_processor import PostProcessor
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.registry import Origin
from audiogen_core.testing.encoders import decode
from audiogen_plugins.post_processors.loudness import measure
from tests.conftest import Command, local_model

Generate = Callable[..., Path]


@pytest.fixture
def generate(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> Generate:
    """Makes one output with an ``output`` section of its own."""

    def run(name: str, **output: Any) -> Path:
        config = write_config(output={"output_dir": str(tmp_path / name), **output})
        result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
        assert result.code == 0, result.err
        return Path(result.out.strip())

    return run


def metadata(path: Path) -> dict[str, Any]:
    """The JSON beside a file."""
    content: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return content


def test_the_default_chain_is_the_peak_of_the_whole_and_then_the_cut(generate: Generate) -> None:
    """Left out, written out, and without cutting: the level is that of all that the model made."""
    default = generate("default")
    written = generate("written", post_processing=["peak", "trim"])
    assert default.read_bytes() == written.read_bytes()
    whole = decode(generate("whole", cut_to_seconds_total=False))[0]
    assert np.array_equal(whole[:, :44100], decode(default)[0])
    assert metadata(default)["output"]["post_processing"] == [
        {"name": "peak", "level": 0.0}, {"name": "trim"}
    ]  # fmt: skip
    assert metadata(default)["software"]["plugins"]["post-processor peak"].startswith("audiogen ")


def test_a_chain_works_on_what_is_heard(generate: Generate) -> None:
    """The cut comes first unless the chain has it; loudness and fades belong to the rest."""
    path = generate(
        "chain",
        file_format="flac",
        post_processing=[
            {"name": "loudness", "lufs": -30}, {"name": "fade", "fade_out": 0.1, "curve": "linear"}
        ],
    )  # fmt: skip
    audio, rate = decode(path)
    assert audio.shape == (2, 44100)
    assert np.abs(audio[:, -20:]).max() < 0.01
    unfaded = decode(generate("loud", post_processing=[{"name": "loudness", "lufs": -30}]))[0]
    assert measure(unfaded, rate).loudness == pytest.approx(-30, abs=0.1)
    assert np.abs(unfaded[:, -4410:]).max() > np.abs(audio[:, -2205:]).max()
    assert [one["name"] for one in metadata(path)["output"]["post_processing"]] == [
        "trim", "loudness", "fade"
    ]  # fmt: skip


def test_a_chain_without_cutting(generate: Generate) -> None:
    """``cut_to_seconds_total: false`` puts no cut into a chain; one written out is done."""
    chain: dict[str, Any] = {"cut_to_seconds_total": False}
    assert decode(generate("a", post_processing=["peak"], **chain))[0].shape == (2, 98304)
    assert decode(generate("b", post_processing=["trim"], **chain))[0].shape == (2, 44100)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (["peak", "lodness"], "output.post_processing[1]: 'lodness' is not a known post-processor "
         "(did you mean 'loudness'?); known: 'trim', 'peak', 'loudness', 'fade', 'none'"),
        (["peak", {"name": "loudness", "lufs": 3}],
         "output.post_processing[1].lufs: must be at most 0, not 3"),
        ([{"name": "fade", "fadein": 3}],
         "output.post_processing[0].fadein: unknown key (did you mean 'fade_in'?); allowed: "),
        ([{"level": 3}], "output.post_processing[0].name: is required, but missing"),
        ([3], "output.post_processing[0]: must be a string or an object with 'name', not a whole"),
        ("peak", "output.post_processing: must be a list, not a string"),
    ],
)  # fmt: skip
def test_a_wrong_chain_is_refused_with_its_place(
    chain: Any, message: str, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """One message, before a model is even looked for."""
    config = write_config(output={"post_processing": chain})
    result = audiogen("generate", *local_model(tmp_path), "--generation-config", config)
    assert result.code == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1


@pytest.fixture
def guest() -> Iterator[Callable[[Callable[[Any], Any]], None]]:
    """Lets a post-processor of somebody else's, named ``guest``, take part."""
    registry = installed_plugins().post_processors

    def add(process: Callable[[Any], Any]) -> None:
        class Guest(PostProcessor):
            NAME = "guest"

            def process(self, audio: Any, context: Any) -> Any:
                del context
                return process(audio)

        registry.add("guest", Guest, Origin("somebody", "1"))

    yield add
    registry._registrations.pop("guest", None)
    registry._loaded.pop("guest", None)


@pytest.mark.parametrize(
    ("process", "cause"),
    [
        (lambda audio: audio * float("nan"), "made NaN or infinity instead of audio"),
        (lambda audio: audio[:, :0], "made audio without samples"),
        (lambda audio: audio[0], "made [44100] instead of [2, samples]"),
    ],
)
def test_what_is_no_audio_never_reaches_an_encoder(
    process: Callable[[Any], Any],
    cause: str,
    guest: Callable[[Callable[[Any], Any]], None],
    tiny_model: Path,
    write_config: Callable[..., Path],
    audiogen: Command,
) -> None:
    """A post-processor that breaks its promise fails the output, and is named."""
    guest(process)
    config = write_config(output={"post_processing": ["guest"]})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert (result.code, result.out) == (3, "")
    assert f"ValueError: post-processor 'guest' {cause}" in result.err


def test_samples_beyond_full_scale_are_clipped_with_a_note(
    guest: Callable[[Callable[[Any], Any]], None],
    tiny_model: Path,
    write_config: Callable[..., Path],
    audiogen: Command,
) -> None:
    """And not wrapped around: the file says the loudest that it can."""
    guest(lambda audio: audio * np.float32(4))
    config = write_config(output={"post_processing": ["peak", "guest"]})
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 0, result.err
    assert "note: a jazz piece.cfg7.0.1: clipped: its peaks reach +12.0 dBFS" in result.err
    audio = decode(Path(result.out.strip()))[0]
    assert audio.max() == pytest.approx(1, abs=1e-4)
    plugins = metadata(Path(result.out.strip()))["software"]["plugins"]
    assert plugins["post-processor guest"] == "somebody 1"


def test_a_hook_registers_post_processors() -> None:
    """A third party's hook is all that it takes."""

    class Module:
        @hookimpl
        def audiogen_post_processors(self, register: Any) -> None:
            register("mine", "mine:Mine")

    manager = PluginManager()
    manager.register(Module(), "mine", Origin("somebody", "1"))
    assert manager.post_processors.names() == ["mine"]
