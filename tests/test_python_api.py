"""Generator: the same audio, files and errors as the command, from Python."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from audiogen_core import Generator, InputError, SampleError, UsageError, hookimpl
from audiogen_core.arrays import FloatArray
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interfaces.post_processor import AudioContext, PostProcessor
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import Origin
from audiogen_core.testing.encoders import decode
from tests.conftest import Command, local_model

SETTINGS = {"output.post_processing": ["peak", "picky"]}
"""Lets a post-processor refuse what is asked for by the name of "bad"."""


class Picky(PostProcessor):
    """Refuses one prompt."""

    NAME = "picky"

    def process(self, audio: FloatArray, context: AudioContext) -> FloatArray:
        """Raises where the prompt is "bad"."""
        if context.conditioning["prompt"] == "bad":
            raise RuntimeError("it sounds bad")
        return audio


class Hooks:
    """What a package would register."""

    @hookimpl
    def audiogen_post_processors(self, register: Registrar[PostProcessor]) -> None:
        """Registers it."""
        register("picky", Picky)


class CancelAt(Observer):
    """Calls something at one step of the run, and counts the steps."""

    NAME = "cancel-at"

    def __init__(self, step: int, cancel: Callable[[], object]) -> None:
        super().__init__()
        self.steps, self._at, self._cancel = 0, step, cancel

    def step(self, done: int, total: int | None) -> None:
        """Counts."""
        del done, total
        self.steps += 1
        if self.steps == self._at:
            # From another thread, as a server's or a window's would be.
            thread = threading.Thread(target=self._cancel)
            thread.start()
            thread.join()


@pytest.fixture(scope="module")
def generator(tiny_model: Path) -> Generator:
    """A tiny model, loaded once."""
    plugins = PluginManager()
    plugins.load_entry_points()
    plugins.register(Hooks(), "hooks", Origin("tests", ""))
    return Generator.load(
        model_config=tiny_model / "model_config.json",
        ckpt_path=tiny_model / "model.safetensors",
        device="cpu",
        plugins=plugins,
    )


def test_importing_the_package_imports_nothing_heavy() -> None:
    """The names are there, and torch only once one of them is asked for."""
    code = (
        "import sys, audiogen_core\n"
        "assert {'Generator', 'Result', 'hookimpl'} <= set(dir(audiogen_core))\n"
        "assert not {'torch', 'numpy', 'pydantic', 'av'} & set(sys.modules)\n"
        "from audiogen_core import Generator\n"
        "assert Generator.__module__ == 'audiogen_core.generator' and 'torch' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_same_files_as_the_command(
    audiogen: Command, tiny_model: Path, write_config: Callable[..., Path], generator: Generator,
    tmp_path: Path,
) -> None:  # fmt: skip
    """A config makes the same bytes by the command, by write, and by generate and save."""
    samples = [{"prompt": "wind"}, {"prompt": "rain", "seed": 9}, {"prompt": "hum", "steps": 3}]
    config = write_config(
        input={"type": "config", "samples": samples},
        generation={"batch_size": 2},
        output={"file_format": "flac"},
    )
    result = audiogen("generate", "--generation-config", config, *local_model(tiny_model))
    assert result.code == 0, result.err
    made = {path.name: path.read_bytes() for path in sorted((tmp_path / "out").glob("[!.]*"))}
    assert len(made) == 12
    outcome = generator.write(config, tmp_path / "written")
    assert (len(outcome.written), outcome.failures) == (6, [])
    generation = generator.generate(json.loads(config.read_text()))
    assert len(generation) == 6
    for one in generation:
        one.save(tmp_path / "saved" / f"{one.name}.flac")
    for folder in ("written", "saved"):
        files = sorted((tmp_path / folder).glob("[!.]*"))
        assert {path.name: path.read_bytes() for path in files} == made, folder


def test_the_default_model_makes_what_the_command_makes(audiogen: Command, tmp_path: Path) -> None:
    """A prompt alone is put into what the model's card recommends."""
    arguments = ("--prompt", "kick drum", "--set", "generation.seed=3", "--seconds", "0.5")
    result = audiogen("generate", *arguments, "--set", "generation.steps=2", cwd=tmp_path)
    assert result.code == 0, result.err
    generator = Generator.load(device="cpu")
    (made,) = generator.generate("kick drum", steps=2, seed=3, seconds=0.5)
    path = Path(result.out.removesuffix("\n"))
    saved = made.save(tmp_path / "saved" / path.name)
    assert saved.read_bytes() == path.read_bytes()
    assert (made.prompt, made.seed, made.seconds, made.notes) == ("kick drum", 3, 0.5, ())
    assert made.conditioning["seconds_total"] == 0.5
    assert generator.seconds > 3


def test_a_result_is_saved_in_any_format(generator: Generator, tmp_path: Path) -> None:
    """The ending says which, or the name of the format; `audiogen again` knows the file."""
    (made,) = generator.generate(
        [{"prompt": "wind"}], steps=1, settings={"output.file_format": "wav 24"}
    )
    assert (made.audio.dtype, made.audio.shape) == (
        np.float32,
        (generator.channels, round(generator.seconds * generator.sample_rate)),
    )
    formats = {"a.wav": None, "b.wav": "wav float", "c.flac": None, "d.ogg": "ogg opus 96k"}
    for name, file_format in formats.items():
        path = made.save(tmp_path / name, file_format=file_format, metadata=name == "b.wav")
        audio, _ = decode(path)
        assert audio.shape[0] == generator.channels
        if name.endswith("wav"):
            assert np.abs(audio - made.audio).max() <= (0 if file_format else 2**-23)
    assert [one.name for one in sorted(tmp_path.glob("*.json"))] == ["b.json"]
    told = json.loads((tmp_path / "b.json").read_text())
    assert told["file_format"] == "wav float"
    assert told["identity"] != made.metadata["identity"]
    assert told["output"]["bytes"] == (tmp_path / "b.wav").stat().st_size


def test_recordings_are_varied_from_python_too(generator: Generator, tmp_path: Path) -> None:
    """Its path may be a Path; what is made depends on it, and on how far it is noised."""
    (given,) = generator.generate("wind", steps=1, seed=1)
    sample = {"prompt": "rain", "init_audio": given.save(tmp_path / "given.wav")}
    varied, further = (
        next(
            generator.generate(
                [sample], steps=2, seed=1, settings={"generation.init_noise_level": level}
            )
        )
        for level in (0.5, 50)
    )
    assert varied.conditioning["init_audio"] == str(tmp_path / "given.wav")
    assert not np.array_equal(varied.audio, further.audio)


def test_seeds_are_drawn_anew_by_each_call(generator: Generator) -> None:
    """A result's seed makes it again."""
    first, second = (next(generator.generate("wind", steps=1)) for _ in range(2))
    assert first.seed != second.seed
    (again,) = generator.generate("wind", steps=1, seed=first.seed)
    assert np.array_equal(first.audio, again.audio)


def test_what_cannot_be_made_costs_only_itself(generator: Generator) -> None:
    """It raises in its turn and the loop goes on with the next one, or is handed over."""
    prompts = ["wind", "bad", "rain"]
    generation = generator.generate(prompts, steps=1, seed=4, settings=SETTINGS)
    assert next(generation).prompt == "wind"
    with pytest.raises(SampleError, match=r"input.samples\[1\] \(seed 4\): .*sounds bad") as error:
        next(generation)
    assert (error.value.index, error.value.cause) == (1, "RuntimeError: it sounds bad")
    assert [one.prompt for one in generation] == ["rain"]
    failed: list[SampleError] = []
    made = list(generator.generate(prompts, steps=1, settings=SETTINGS, on_failure=failed.append))
    assert ([one.index for one in made], [one.index for one in failed]) == ([0, 2], [1])


def test_leaving_the_loop_makes_nothing_more(generator: Generator) -> None:
    """No step is made that was not asked for, and nothing holds on to what was made."""
    observer = CancelAt(0, lambda: None)
    for made in generator.generate(["wind", "rain"], steps=2, max_batch=1, observer=observer):
        held = weakref.ref(made.audio)
        break
    assert observer.steps == 2
    del made
    gc.collect()
    assert held() is None


def test_cancelling_ends_a_generation_at_the_next_step(generator: Generator) -> None:
    """What was made before has been handed over, and the model makes audio again afterwards."""
    event = threading.Event()
    observer = CancelAt(5, event.set)
    generation = generator.generate(
        ["wind", "rain", "hum"], steps=4, max_batch=1, observer=observer, cancel=event
    )
    assert [one.prompt for one in generation] == ["wind"]
    assert (observer.steps, generation.cancelled) == (5, True)
    assert len(list(generator.generate("wind", steps=1))) == 1
    other = generator.generate("wind", steps=1)
    other.cancel()
    assert list(other) == []


def test_cancelling_ends_a_run_that_writes(generator: Generator, tmp_path: Path) -> None:
    """What is written is whole, and the same call makes the rest."""
    event = threading.Event()
    arguments: Any = {"steps": 4, "max_batch": 1, "settings": {"output.file_format": "flac"}}
    prompts = ["wind", "rain", "hum"]
    outcome = generator.write(
        prompts, tmp_path, **arguments, observers=[CancelAt(6, event.set)], cancel=event
    )
    assert (outcome.interrupted, len(outcome.written), outcome.left) == (True, 1, 2)
    decode(outcome.written[0])
    outcome = generator.write(prompts, tmp_path, **arguments)
    assert (outcome.interrupted, outcome.there_before, len(outcome.written)) == (False, 1, 2)


def test_threads_may_share_a_generator(generator: Generator) -> None:
    """Two at once make what each makes alone."""

    def make(prompt: str) -> FloatArray:
        (made,) = generator.generate(prompt, steps=3, seed=1)
        return made.audio

    prompts = ["wind", "rain with thunder"]
    alone = [make(prompt) for prompt in prompts]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(make, prompts))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    "change",
    [
        {"generation": {"stesp": 3}},
        {"generation": {"sampler_type": "euler"}},
        {"input": {"type": "config", "samples": [{"promt": "wind"}]}},
        {"output": {"file_format": "wave"}},
    ],
)
def test_a_wrong_config_has_the_command_s_message(
    change: dict[str, Any], audiogen: Command, tiny_model: Path,
    write_config: Callable[..., Path], generator: Generator,
) -> None:  # fmt: skip
    """To the word, when `generate` is called, and not when its first result is asked for."""
    config = write_config(**change)
    result = audiogen("generate", "--generation-config", config, *local_model(tiny_model))
    assert result.code == 2
    with pytest.raises(InputError) as error:
        generator.generate(config)
    assert result.err.endswith(f"error: {error.value}\n")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: one.generate("wind", steps=0), r"steps=0: generation.steps: must be at least"),
        (lambda one: one.generate([]), r"input.samples: "),
        (lambda one: one.generate("wind", max_batch=0), r"--max-batch: must be at least 1, not 0"),
        (lambda one: one.generate("wind", seconds=float("nan")), r"no finite number"),
        (lambda one: one.generate("wind", settings={"generation.rh": 1}), r"did you mean 'rho'"),
        (
            lambda one: one.generate("wind", settings={"generation.cfg_scale": float("nan")}),
            r"settings generation.cfg_scale=nan: .*is nan, which is no finite number",
        ),
        (lambda one: one.generate("wind", settings={"a b.": 1}), r"must be like generation.steps"),
        (lambda one: one.generate({"generation": {1: 2}}), r"generation: key 1 must be a string"),
        (lambda one: one.generate(cast("str", None)), r"what to generate must be .*not NoneType"),
        (lambda one: one.write("wind", on_existing="skp"), r"--on-existing: .*did you mean 'skip'"),
        (lambda one: one.load(dtype="float8"), r"--dtype: 'float8' is none of .*'bfloat16'"),
        (lambda one: one.load(revision="main"), r"--revision goes with --pretrained-name"),
    ],
)
def test_wrong_arguments_are_told(
    call: Callable[[Generator], object], message: str, generator: Generator
) -> None:
    """What, where, and what is allowed."""
    with pytest.raises(UsageError, match=message):
        call(generator)


def test_formats_that_cannot_be_saved_are_told(generator: Generator, tmp_path: Path) -> None:
    """Unknown endings and formats, and an ending that the format has not; nothing is written."""
    (made,) = generator.generate("wind", steps=1)
    for name, file_format, message in [
        ("a.xyz", None, r"no format that can be written ends in '.xyz'; known: '.flac'"),
        ("a.mp3", "flac", r"files of the format 'flac' end in '.flac'"),
        ("a.flac", "flc", r"file_format: 'flc' is not a known encoder \(did you mean 'flac'"),
    ]:
        with pytest.raises(InputError, match=message):
            made.save(tmp_path / name, file_format=file_format)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("ending", "file_format"),
    [
        ("wav", "wav"), ("flac", "flac"), ("mp3", "mp3 v0"), ("m4a", "m4a aac 256k"),
        ("ogg", "ogg opus 192k"),
    ],
)  # fmt: skip
def test_an_ending_alone_stands_for_a_good_format(
    ending: str, file_format: str, generator: Generator, tmp_path: Path
) -> None:
    """The same on every machine, and the one that the page about Python names."""
    own = "wav" if ending != "wav" else "flac"
    (made,) = generator.generate("wind", steps=1, settings={"output.file_format": own})
    path = made.save(tmp_path / f"a.{ending}")
    assert json.loads(path.with_suffix(".json").read_text())["file_format"] == file_format


def test_audio_in_memory_needs_no_observer(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a config names to look at an output folder need not work on this machine."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    settings = {"output.report": True}
    (made,) = generator.generate("wind", steps=1, settings=settings)
    assert made.audio.ndim == 2
    with pytest.raises(InputError, match=r"output\.report: the report's pictures need Pillow"):
        generator.write("wind", steps=1, settings=settings)


def test_numbers_of_numpy_are_numbers(generator: Generator) -> None:
    """What a computation makes can be asked for as it is."""
    settings = {"generation.cfg_scale": np.float32(3), "generation.rho": np.float64(1.5)}
    (made,) = generator.generate("wind", steps=np.int64(1), seed=np.int64(3), settings=settings)
    assert (made.metadata["generation_config"]["seed"], made.audio.ndim) == (3, 2)
