"""The same command goes on where it stopped, and decides about what is in its way."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen_core.runfolder.workers import this_worker
from audiogen_core.testing.tiny_model import random_weights, tiny_config, write_tiny_model
from audiogen_plugins.encoders.wav import Wav
from tests.conftest import Command, Result, local_model, write_embedding_model
from tests.crashes import contents

Generate = Callable[..., Result]


@pytest.fixture
def generate(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> Generate:
    """Runs the command in one output folder, with the sections and options given."""

    def run(*options: str, model: Path = tiny_model, **sections: Any) -> Result:
        output = {"output_dir": str(tmp_path / "out"), "file_naming": "prompt"}
        sections["output"] = {**output, **sections.get("output", {})}
        config = write_config(**sections)
        return audiogen("generate", *local_model(model), "--generation-config", config, *options)

    return run


def samples(*prompts: str) -> dict[str, Any]:
    """An input section."""
    return {"type": "config", "samples": [{"prompt": one} for one in prompts]}


def test_what_is_done_is_left_alone(generate: Generate, tmp_path: Path) -> None:
    """A second run makes the missing output only, and says so; the others are not touched."""
    assert generate(input=samples("kick", "snare", "tom")).code == 0
    out = tmp_path / "out"
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.wav")}
    (out / "snare.wav").unlink()
    result = generate(input=samples("kick", "snare", "tom"))
    assert result.code == 0
    assert result.out.splitlines() == [str(out / "snare.wav")]
    assert "2 of 3 outputs stand" in result.err
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("*.wav")}
    assert {name for name in after if after[name] != before[name]} == {"snare.wav"}


def test_a_run_with_nothing_to_make_clears_up_after_one_that_was_killed(
    generate: Generate, tmp_path: Path
) -> None:
    """Another process has made its outputs meanwhile, but not removed what it was writing."""
    assert generate(input=samples("kick")).code == 0
    out = tmp_path / "out"
    before = contents(out)
    killed = re.sub(r"-\d+-", f"-{2**22 + 1}-", this_worker())  # beyond the numbers of processes
    (out / f".audiogen-{killed}-0123456789abcdef.part").write_bytes(b"RIFF")
    (out / ".audiogen" / f"{killed}.alive").touch()
    (out / ".audiogen" / f"{'0' * 32}.0.claim").write_text(killed)
    assert generate(input=samples("kick")).code == 0
    assert contents(out) == before
    assert not [
        path for path in (out / ".audiogen").iterdir() if path.suffix in {".alive", ".claim"}
    ]


@pytest.mark.parametrize("ending", [".json", ".wav"])
def test_an_output_is_done_when_file_and_metadata_stand(
    generate: Generate, tmp_path: Path, ending: str
) -> None:
    """Where one is missing or cut, both are made again, the same."""
    assert generate().code == 0
    whole = contents(tmp_path / "out")
    path = tmp_path / "out" / f"a jazz piece{ending}"
    if ending == ".wav":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    assert generate().code == 0
    assert contents(tmp_path / "out") == whole


def test_drawn_seeds_are_fixed_for_the_folder(generate: Generate, tmp_path: Path) -> None:
    """What is missing is made again with the seed that was drawn; others come with --new-seeds."""
    generation = {"seed": -1, "batch_size": 2}
    assert generate(generation=generation, input=samples("kick", "kick")).code == 0
    first = contents(tmp_path / "out")
    seeds = {
        json.loads(first[name])["generation_config"]["seed"] for name in first if "json" in name
    }
    assert len(seeds) == 4
    for path in (tmp_path / "out").glob("kick*.*"):
        path.unlink()
    assert generate(generation=generation, input=samples("kick", "kick")).code == 0
    assert contents(tmp_path / "out") == first
    assert generate(generation=generation, input=samples("kick", "kick")).out == ""
    refused = generate("--new-seeds", generation=generation, input=samples("kick", "kick"))
    assert refused.code == 2
    new = generate(
        "--new-seeds", "--on-existing", "overwrite",
        generation=generation, input=samples("kick", "kick"),
    )  # fmt: skip
    assert len(new.out.splitlines()) == 4
    assert not set(contents(tmp_path / "out").values()) & set(first.values())


def test_a_run_with_nothing_to_make_keeps_the_seeds(generate: Generate, tmp_path: Path) -> None:
    """Also with --new-seeds, and where failures are listed, which it would look through."""
    drawn = {"generation": {"seed": -1}, "input": samples("kick")}
    assert generate(**drawn).code == 0
    out = tmp_path / "out"
    before = contents(out)
    (out / "failures.jsonl").write_text('{"identity": "0"}\n')
    assert generate("--new-seeds", "--shard", "2/2", **drawn).code == 0
    (out / "failures.jsonl").unlink()
    (out / "kick.wav").unlink()
    assert generate(**drawn).code == 0
    assert contents(out) == before


def test_seeds_stay_when_other_samples_come_and_go(generate: Generate, tmp_path: Path) -> None:
    """A changed list of prompts resumes what is still the same, and says so."""
    assert generate(generation={"seed": -1}, input=samples("kick", "snare")).code == 0
    kept = (tmp_path / "out" / "snare.wav").read_bytes()
    result = generate(generation={"seed": -1}, input=samples("tom", "snare", "clap"))
    assert result.code == 0
    assert "1 of 3 outputs stand" in result.err
    assert (tmp_path / "out" / "snare.wav").read_bytes() == kept


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "steps": lambda config: config["generation"].update(steps=3),
    "cfg_scale": lambda config: config["generation"].update(cfg_scale=2.0),
    "sampler": lambda config: config["generation"].update(sampler_type="dpmpp-2m"),
    "sampler option": lambda config: config["generation"].update(eta=0.5),
    "seed": lambda config: config["generation"].update(seed=5),
    "length": lambda config: config["conditioning_defaults"].update(seconds_total=0.5),
    "post-processing": lambda config: config["output"].update(post_processing=["peak"]),
    "format": lambda config: config["output"].update(file_format="wav 24"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changes_the_sound_changes_the_identity(
    generate: Generate, tmp_path: Path, what: str
) -> None:
    """A file of the same name is then foreign: an error before anything is done to it."""
    assert generate().code == 0
    before = contents(tmp_path / "out")
    changed: dict[str, Any] = {"generation": {}, "conditioning_defaults": {}, "output": {}}
    CHANGES[what](changed)
    result = generate(**changed)
    assert result.code == 2, result.err
    assert "'a jazz piece.wav' (input.samples[0])" in result.err
    assert "--on-existing" in result.err
    assert contents(tmp_path / "out") == before


def test_other_weights_are_another_identity(generate: Generate, tmp_path: Path) -> None:
    """Also under the same path, and also when the size is the same."""
    config = tiny_config()
    model = write_tiny_model(tmp_path / "model", config)
    assert generate(model=model).code == 0
    assert "nothing to do" in generate(model=model).err
    from safetensors.torch import save_file

    save_file(random_weights(config, model, seed=1), model / "model.safetensors")
    assert generate(model=model).code == 2


def test_other_seeds_are_offered_where_some_were_drawn(generate: Generate) -> None:
    """Where the config fixes them, nothing would change."""
    for name, seed, offered in (("a", 5, False), ("b", -1, True)):
        run = {"generation": {"seed": seed, "steps": 1}, "input": samples(name)}
        assert generate(**run).code == 0
        told = generate(**run).err
        assert "nothing to do" in told
        assert ("; --new-seeds draws other seeds" in told) == offered


def test_a_moved_model_is_the_same(generate: Generate, tmp_path: Path) -> None:
    """Where it stands does not count."""
    model = write_tiny_model(tmp_path / "here")
    assert generate(model=model).code == 0
    moved = model.rename(tmp_path / "there")
    assert "nothing to do" in generate(model=moved).err


def test_on_existing_overwrite(generate: Generate, tmp_path: Path) -> None:
    """Foreign files are replaced, audio and metadata; what is done is not made again."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "kick.wav").write_bytes(b"mine")
    assert generate(input=samples("kick", "snare")).code == 2
    result = generate("--on-existing", "overwrite", input=samples("kick", "snare"))
    assert len(result.out.splitlines()) == 2
    assert (out / "kick.wav").read_bytes() != b"mine"
    assert generate("--on-existing", "overwrite", input=samples("kick", "snare")).out == ""


def test_on_existing_rename(generate: Generate, tmp_path: Path) -> None:
    """Foreign files stay; the output gets the next free name, and finds it again."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "KICK.wav").write_bytes(b"mine")
    (out / "kick-2.json").write_bytes(b"mine too")
    result = generate("--on-existing", "rename", input=samples("kick"))
    assert result.out.splitlines() == [str(out / "kick-3.wav")]
    assert (out / "KICK.wav").read_bytes() == b"mine"
    assert (out / "kick-2.json").read_bytes() == b"mine too"
    assert generate("--on-existing", "rename", input=samples("kick")).out == ""


def test_on_existing_error(generate: Generate) -> None:
    """What is there is an error, also when the same was made."""
    assert generate().code == 0
    result = generate("--on-existing", "error")
    assert result.code == 2
    assert "holds what would be made: 'a jazz piece.wav' (input.samples[0])" in result.err


def test_the_content_of_an_embedding_counts(
    write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """The same path with another content is another output; another path is not."""
    model = write_embedding_model(tmp_path / "model")
    rng = np.random.default_rng(0)
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    one, other = rng.standard_normal((2, 4, 3)).astype(np.float32)
    for path in paths:
        np.save(path, one)

    def run(path: Path) -> Result:
        written = write_config(
            input={"type": "config", "samples": [{"prompt": "x", "audio_prompt": str(path)}]},
            output={"file_naming": "prompt"},
        )
        return audiogen("generate", *local_model(model), "--generation-config", written)

    first = run(paths[0])
    assert first.code == 0, first.err
    assert "nothing to do" in run(paths[0]).err
    assert "nothing to do" in run(paths[1]).err
    np.save(paths[0], other)
    assert run(paths[0]).code == 2


def test_drawn_seeds_depend_on_what_an_embedding_holds(
    write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """A folder of embeddings that was moved draws the same ones."""
    model = write_embedding_model(tmp_path / "model")
    here, there = tmp_path / "here.npy", tmp_path / "there.npy"
    np.save(here, np.ones((4, 3), dtype=np.float32))

    def run(path: Path) -> Result:
        written = write_config(
            generation={"seed": -1},
            input={"type": "config", "samples": [{"prompt": "x", "audio_prompt": str(path)}]},
            output={"file_naming": "prompt"},
        )
        return audiogen("generate", *local_model(model), "--generation-config", written)

    assert run(here).code == 0
    here.rename(there)
    assert "nothing to do" in run(there).err


def test_shards_share_a_run(generate: Generate, tmp_path: Path) -> None:
    """The parts are disjoint, together they are the whole, and equal to it to the bit."""
    prompts = [f"sound {number}" for number in range(7)]
    generation = {"seed": 3, "batch_size": 2}
    run: dict[str, Any] = {"generation": generation, "input": samples(*prompts)}
    # Batches of one sample each: of the same shape in every part.
    assert generate("--max-batch", "2", **run).code == 0
    whole = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    made = [
        generate("--shard", f"{part}/3", "--max-batch", "2", **run).out.splitlines()
        for part in (2, 3, 1)
    ]
    assert sorted(map(len, made)) == [4, 4, 6]
    assert len({line for lines in made for line in lines}) == 14
    assert "nothing to do: all 14" in generate(**run).err
    assert contents(tmp_path / "out") == whole


def test_a_shard_takes_no_name_of_another(generate: Generate, tmp_path: Path) -> None:
    """What is renamed in one part makes room for what the others have planned."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "kick.wav").write_bytes(b"mine")
    run: dict[str, Any] = {"input": samples("kick", "kick")}
    first = generate("--shard", "1/2", "--on-existing", "rename", **run)
    second = generate("--shard", "2/2", **run)
    assert first.out.splitlines() == [str(out / "kick-3.wav")]
    assert second.out.splitlines() == [str(out / "kick-2.wav")]


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", "1/2/3", f"1/{'9' * 5000}"]
)
def test_shards_that_are_none(generate: Generate, text: str) -> None:
    """The message says what a shard looks like."""
    result = generate("--shard", text)
    assert result.code == 2
    assert "--shard must be like 1/4" in result.err


def test_equal_batches_are_equal_to_the_bit(generate: Generate, tmp_path: Path) -> None:
    """A resumed output is sampled in the same company as before."""
    run: dict[str, Any] = {"input": samples("kick", "snare", "tom", "clap", "hat")}
    assert generate("--max-batch", "3", **run).code == 0
    whole = contents(tmp_path / "out")
    for name in ("snare", "hat", "clap"):
        (tmp_path / "out" / f"{name}.wav").unlink()
    assert len(generate("--max-batch", "3", **run).out.splitlines()) == 3
    assert contents(tmp_path / "out") == whole


def test_metadata_of_another_format_is_not_an_outputs_own(
    generate: Generate, tmp_path: Path
) -> None:
    """A FLAC file has replaced the JSON of the WAV file beside it, which is not done any more."""
    assert generate().code == 0
    flac = generate("--on-existing", "overwrite", output={"file_format": "flac"})
    assert (flac.code, len(flac.out.splitlines())) == (0, 1)
    before = contents(tmp_path / "out")
    refused = generate()
    assert (refused.code, refused.out) == (2, "")
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("name", ["a jazz piece.json", "a jazz piece.wav"])
def test_what_a_user_has_put_in_place_of_an_output_is_foreign(
    generate: Generate, tmp_path: Path, name: str
) -> None:
    """Notes in the place of metadata, or a longer recording: neither is replaced unasked."""
    assert generate().code == 0
    out = tmp_path / "out"
    other = out / ("a jazz piece.wav" if name.endswith("json") else "a jazz piece.json")
    other.unlink()
    (out / name).write_bytes(b"mine" * 100_000)
    assert generate().code == 2
    assert (out / name).read_bytes() == b"mine" * 100_000
    assert not other.exists()


def test_a_name_in_other_case_beside_an_output_does_not_hide_it(
    generate: Generate, tmp_path: Path
) -> None:
    """Where file systems tell them apart, the output's own name is what counts."""
    assert generate(input=samples(*"abcdefgh")).code == 0
    for name in "abcdefgh":
        for ending in (".wav", ".json"):
            (tmp_path / "out" / f"{name.upper()}{ending}").write_bytes(b"mine")
    if len(contents(tmp_path / "out")) < 32:
        pytest.skip("this file system does not tell them apart")
    assert "nothing to do" in generate(input=samples(*"abcdefgh")).err


def test_outputs_that_were_moved_and_linked_are_done(generate: Generate, tmp_path: Path) -> None:
    """Who keeps them on another disk need not make them again; where that is gone, they are."""
    assert generate().code == 0
    path = tmp_path / "out" / "a jazz piece.wav"
    path.symlink_to(path.rename(tmp_path / "elsewhere.wav"))
    assert "nothing to do" in generate().err
    (tmp_path / "elsewhere.wav").unlink()
    assert generate().out.splitlines() == [str(path)]
    assert not path.is_symlink()


def test_a_failed_overwrite_leaves_what_stood_there(
    generate: Generate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audio and its metadata, for neither is of use without the other."""
    assert generate().code == 0
    before = contents(tmp_path / "out")

    def fails(self: Wav, *arguments: Any) -> None:
        raise RuntimeError("the encoder gave up")

    monkeypatch.setattr(Wav, "encode", fails)
    result = generate("--on-existing", "overwrite", generation={"seed": 5})
    assert result.code == 3
    after = contents(tmp_path / "out")
    del after["failures.jsonl"]
    assert after == before


def test_a_large_file_in_the_place_of_metadata_is_not_read(
    generate: Generate, tmp_path: Path
) -> None:
    """It takes no memory to see that it is none of ours."""
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / "a jazz piece.json").open("wb") as file:
        file.truncate(1 << 42)
    assert generate().code == 2
