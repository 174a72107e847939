"""Models from the Hugging Face Hub: the command, against a Hub on the loopback address."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audiogen_core.testing.encoders import decode
from audiogen_core.testing.tiny_model import tiny_config, write_tiny_model
from tests.conftest import Result, audiogen_process
from tests.hub_server import Hub, Request

MODEL, TEXT = "acme/tiny-audio", "acme/tiny-t5"
TOKEN = "hf_of_this_user"  # noqa: S105

COMMANDS = """
import contextlib, io, json, sys, time

sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.01))

from audiogen_plugins.observers import progress
from audiogen_cli.app import main

exec(sys.argv[1])

results = []
for arguments in json.load(sys.stdin):
    sys.argv = ["audiogen", *arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as exit:
            code = exit.code
        else:
            code = 0
    results.append([code, out.getvalue(), err.getvalue()])
json.dump(results, sys.stdout)
"""
"""Several commands in one process, as starting takes long; waiting between attempts does not."""


@dataclass(frozen=True)
class Machine:
    """A user's machine, with a cache of its own."""

    hub: Hub
    home: Path

    def environment(self, **changes: str) -> dict[str, str]:
        """What the command runs in."""
        return {
            "HF_ENDPOINT": self.hub.url,
            "HF_HOME": str(self.home),
            "HF_HUB_CACHE": str(self.home / "hub"),
            "HF_HUB_OFFLINE": "0",
            "HF_TOKEN": "",
            "NO_PROXY": "127.0.0.1",
            **changes,
        }

    def generate(self, config: Path, *args: str, model: str = MODEL, **changes: str) -> Result:
        """The command in a process of its own, with nothing made before."""
        output = json.loads(config.read_text(encoding="utf-8"))["output"]["output_dir"]
        shutil.rmtree(output, ignore_errors=True)
        return audiogen_process(
            *arguments(config, *args, model=model), **self.environment(**changes)
        )

    def commands(
        self, lists: Sequence[Sequence[str]], before: str = "", **changes: str
    ) -> list[Result]:
        """One command after the other, with little waiting in between."""
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS, before],
            input=json.dumps(lists),
            capture_output=True,
            text=True,
            env={**os.environ, **self.environment(**changes)},
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return [Result(*one) for one in json.loads(done.stdout)]


def arguments(config: Path, *args: str, model: str = MODEL) -> list[str]:
    """A command line."""
    return ["generate", "--pretrained-name", model, "--generation-config", str(config), *args]


def with_text(name: str) -> bytes:
    """The tiny model's config with another text encoder."""
    config = tiny_config()
    config["model"]["conditioning"]["configs"][0]["config"]["t5_model_name"] = name
    return json.dumps(config).encode()


@pytest.fixture(scope="module")
def model_files(tiny_model: Path) -> Mapping[str, bytes]:
    """What the repository of the model holds."""
    return {
        "model_config.json": with_text(TEXT),
        "model.safetensors": (tiny_model / "model.safetensors").read_bytes(),
    }


@pytest.fixture(scope="module")
def text_files(tiny_model: Path) -> Mapping[str, bytes]:
    """What the repository of the text encoder holds."""
    return {path.name: path.read_bytes() for path in (tiny_model / "t5").iterdir()}


@pytest.fixture
def hub(model_files: Mapping[str, bytes], text_files: Mapping[str, bytes]) -> Iterator[Hub]:
    """A Hub that holds the tiny model and its text encoder."""
    with Hub() as hub:
        hub.add(MODEL, model_files)
        hub.add(TEXT, text_files)
        yield hub


@pytest.fixture
def machine(hub: Hub, tmp_path: Path) -> Machine:
    """A machine whose cache is empty."""
    return Machine(hub, tmp_path / "home")


def made(result: Result) -> tuple[bytes, dict[str, Any]]:
    """The audio and the metadata of a run that made one output and said so, and only that."""
    assert result.code == 0, result.err
    [line] = result.out.splitlines()
    assert "%|" not in result.err
    assert "warning" not in result.err.lower()
    path = Path(line)
    return path.read_bytes(), json.loads(path.with_suffix(".json").read_text("utf-8"))


def without_tags(result: Result) -> bytes:
    """The samples of a run that made one output: its tags name the model."""
    made(result)
    return decode(Path(result.out.strip()))[0].tobytes()


def refusal(result: Result, code: int) -> str:
    """The one message of a run that failed."""
    assert result.code == code, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    *stages, message = result.err.splitlines()
    assert message.startswith("error: ")
    assert not [line for line in stages if line.startswith("error: ") or "http" in line]
    return message.removeprefix("error: ")


def test_a_model_is_downloaded_once(
    machine: Machine, hub: Hub, write_config: Callable[..., Path]
) -> None:
    """Config, text encoder, weights, in that order; then the cache is enough, even with no Hub."""
    config = write_config()
    commit, text = (hub.repositories[name].refs["main"] for name in (MODEL, TEXT))
    audio, metadata = made(machine.generate(config, HF_TOKEN=TOKEN))
    assert metadata["model"] == {
        "pretrained_name": MODEL,
        "revision": commit,
        "conditioners": {"prompt": {"name": TEXT, "revision": text}},
    }
    resolved = [one for one in hub.requests if "/resolve/" in one.path]
    assert [one.path for one in resolved if one.method == "GET"][:2] == [
        f"/{MODEL}/resolve/main/model_config.json",
        f"/{TEXT}/resolve/main/config.json",
    ]
    stored = [one.path.split("/")[2] for one in hub.requests if one.storage]
    assert stored == ["tiny-t5", "tiny-audio"]
    assert {one.token for one in resolved} == {TOKEN}
    stored = [one for one in hub.requests if one.storage]
    assert {one.token for one in stored} == {None}
    assert len(stored) == 2

    hub.requests.clear()
    assert made(machine.generate(config, HF_HUB_OFFLINE="1")) == (audio, metadata)
    assert hub.requests == []
    assert made(machine.generate(config)) == (audio, metadata)
    resolved = [one for one in hub.requests if "/resolve/" in one.path]
    assert [(one.method, one.path) for one in resolved] == [
        ("HEAD", f"/{MODEL}/resolve/main/model_config.json"),
        ("HEAD", f"/{TEXT}/resolve/main/config.json"),
    ]
    hub.close()
    began = time.monotonic()
    assert made(machine.generate(config)) == (audio, metadata)
    assert time.monotonic() - began < 40  # it starts in ten, and once waited for 46 more


def test_a_text_encoder_comes_from_one_commit(
    machine: Machine,
    hub: Hub,
    text_files: Mapping[str, bytes],
    write_config: Callable[..., Path],
) -> None:
    """The one that its config came from, even when the branch moves on."""
    repository = hub.repositories[TEXT]
    first = repository.refs["main"]

    def move(request: Request) -> None:
        if request.path.endswith("/tokenizer_config.json"):
            repository.commit(dict.fromkeys(text_files, b"not for this config"))

    hub.before = move
    _, metadata = made(machine.generate(write_config()))
    assert repository.refs["main"] != first
    assert metadata["model"]["conditioners"]["prompt"] == {"name": TEXT, "revision": first}


def test_a_cache_that_others_filled_will_do(
    machine: Machine, hub: Hub, write_config: Callable[..., Path]
) -> None:
    """One that knows nothing of files that are not there, with offline mode or no network."""
    config = write_config()
    audio = made(machine.generate(config))
    for folder in machine.home.glob("hub/*/.no_exist"):
        shutil.rmtree(folder)
    hub.close()
    assert made(machine.generate(config, HF_HUB_OFFLINE="1")) == audio
    shutil.rmtree(config.with_name("out"))
    [gone] = machine.commands([arguments(config)])
    assert made(gone) == audio


def shards(text_files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The text encoder with its weights in two files."""
    from safetensors.torch import load, save

    weights = load(text_files["model.safetensors"])
    names = {
        name: f"model-0000{index % 2 + 1}-of-00002.safetensors"
        for index, name in enumerate(weights)
    }
    index = {"metadata": {}, "weight_map": names}
    return {
        "model.safetensors.index.json": json.dumps(index).encode(),
        **{
            file: save({name: weights[name] for name in names if names[name] == file})
            for file in set(names.values())
        },
    }


def pickled(text_files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The text encoder with its weights as they once were saved."""
    import torch
    from safetensors.torch import load

    file = io.BytesIO()
    torch.save(load(text_files["model.safetensors"]), file)
    return {"pytorch_model.bin": file.getvalue()}


def test_text_encoders_have_weights_of_several_kinds(
    machine: Machine,
    hub: Hub,
    model_files: Mapping[str, bytes],
    text_files: Mapping[str, bytes],
    write_config: Callable[..., Path],
) -> None:
    """Each is found, and nothing but what is needed is downloaded."""
    others = dict.fromkeys(("tf_model.h5", "flax_model.msgpack", "onnx/a.onnx"), b"not for us")
    files = {key: value for key, value in text_files.items() if key != "model.safetensors"}
    commands = [arguments(write_config("0.json", output={"output_dir": str(machine.home / "0")}))]
    for index, weights in enumerate([shards, pickled], 1):
        text, model = f"acme/text-{index}", f"acme/model-{index}"
        hub.add(text, {**files, **weights(text_files), **others})
        hub.add(model, {**model_files, "model_config.json": with_text(text)})
        folder = {"output_dir": str(machine.home / str(index))}
        commands.append(arguments(write_config(f"{index}.json", output=folder), model=model))
    heard = [without_tags(one) for one in machine.commands(commands)]
    assert heard == heard[:1] * len(commands)
    assert not [one for one in hub.requests if one.path.endswith(tuple(others))]
    hub.requests.clear()
    for index in range(len(commands)):
        shutil.rmtree(machine.home / str(index))
    again = machine.commands(commands, HF_HUB_OFFLINE="1")
    assert [without_tags(one) for one in again] == heard
    assert hub.requests == []


def test_a_tokenizer_comes_without_weights(
    machine: Machine, hub: Hub, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """A ``lut`` conditioner needs no more than the tokenizer's files."""
    model = tiny_config()
    options = {"tokenizer_name": "t5", "max_length": 16}
    model["model"]["conditioning"]["configs"][0] |= {"type": "lut", "config": options}
    folder = write_tiny_model(tmp_path / "model", model)
    options["tokenizer_name"] = TEXT
    weights = (folder / "model.safetensors").read_bytes()
    files = {"model_config.json": json.dumps(model).encode(), "model.safetensors": weights}
    hub.add("acme/lut", files)
    audio, metadata = made(machine.generate(write_config(), model="acme/lut"))
    revision = hub.repositories[TEXT].refs["main"]
    assert metadata["model"]["conditioners"] == {"prompt": {"name": TEXT, "revision": revision}}
    assert not hub.asked_for(TEXT, "model.safetensors")
    hub.requests.clear()
    offline = machine.generate(write_config(), model="acme/lut", HF_HUB_OFFLINE="1")
    assert made(offline) == (audio, metadata)


def test_a_revision_is_a_branch_a_tag_or_a_commit(
    machine: Machine,
    hub: Hub,
    model_files: Mapping[str, bytes],
    write_config: Callable[..., Path],
) -> None:
    """Weights come from the commit that the config came from, even when the branch moves on."""
    repository = hub.repositories[MODEL]
    first = repository.refs["main"]
    newer = {**model_files, "model.safetensors": b"not for this config"}
    repository.refs |= {"dev": first, "v1.0": first}

    def move(request: Request) -> None:
        if request.path == f"/{MODEL}/resolve/{first}/model.safetensors":
            repository.refs["dev"] = second

    second = repository.commit(newer, "main", "next")
    hub.before = move
    configs = [
        write_config(f"{index}.json", output={"output_dir": str(machine.home / str(index))})
        for index in range(4)
    ]
    revisions = ["dev", "v1.0", first, "never"]
    *results, unknown = machine.commands(
        [
            arguments(config, "--revision", revision)
            for config, revision in zip(configs, revisions, strict=True)
        ]
    )
    assert repository.refs["dev"] == second
    audio = set()
    for result in results:
        one, metadata = made(result)
        audio.add(one)
        assert metadata["model"]["revision"] == first
    assert len(audio) == 1
    assert refusal(unknown, 2) == f"{MODEL}: revision 'never' does not exist"


def test_a_file_is_made_again_with_its_commit(
    machine: Machine,
    hub: Hub,
    model_files: Mapping[str, bytes],
    write_config: Callable[..., Path],
) -> None:
    """The branch has moved on, and another machine's cache is empty: the file is the same."""
    first = machine.generate(write_config())
    newer = {**model_files, "model.safetensors": b"not for this config"}
    hub.repositories[MODEL].commit(newer, "main", "next")
    again = audiogen_process(
        "again", first.out.strip(), "--out", f"{machine.home}/again/",
        **Machine(hub, machine.home / "other").environment(),
    )  # fmt: skip
    assert made(again) == made(first)


def test_nothing_is_downloaded_for_a_wrong_config(
    machine: Machine, hub: Hub, write_config: Callable[..., Path]
) -> None:
    """The generation config is checked against the model's before any weights are asked for."""
    configs = [
        write_config("sampler.json", generation={"sampler_type": "dpmpp-4m-sde"}),
        write_config("conditioning.json", input={"type": "config", "samples": [{}]}),
        write_config("objective.json", generation={"sampler_type": "euler"}),
    ]
    sampler, conditioning, objective = machine.commands([arguments(one) for one in configs])
    assert "generation.sampler_type" in refusal(sampler, 2)
    assert "input.samples[0].prompt: " in refusal(conditioning, 2)
    assert "whose objective is 'v'" in refusal(objective, 2)
    assert hub.asked_for(MODEL, "model_config.json")
    assert not [one for one in hub.requests if one.path.endswith(".safetensors")]


def checkpoint(weights: bytes) -> bytes:
    """The weights as training saves them."""
    import torch
    from safetensors.torch import load

    file = io.BytesIO()
    torch.save({"state_dict": load(weights)}, file)
    return file.getvalue()


def test_a_pickled_checkpoint_will_do(
    machine: Machine,
    hub: Hub,
    model_files: Mapping[str, bytes],
    write_config: Callable[..., Path],
) -> None:
    """A repository may hold ``model.ckpt`` alone, and the cache knows so when offline."""
    config, weights = write_config(), model_files["model.safetensors"]
    files = {"model_config.json": with_text(TEXT), "model.ckpt": checkpoint(weights)}
    hub.add("acme/ckpt", files)
    audio, _ = made(machine.generate(config, model="acme/ckpt"))
    hub.requests.clear()
    assert made(machine.generate(config, model="acme/ckpt", HF_HUB_OFFLINE="1"))[0] == audio
    assert hub.requests == []


def test_a_broken_transfer_is_resumed(
    machine: Machine, hub: Hub, write_config: Callable[..., Path]
) -> None:
    """One that breaks once ends well; one that always breaks ends, and leaves nothing behind."""
    repository = hub.repositories[MODEL]
    repository.cuts["model.safetensors"] = 1000

    def heal(request: Request) -> None:
        new_run = request.path.endswith("/model_config.json")
        if new_run and repository.cuts["model.safetensors"] < 1000:
            repository.cuts["model.safetensors"] = 1

    hub.before = heal
    config = write_config()
    broken, mended = machine.commands([arguments(config), arguments(config)])
    message = refusal(broken, 1)
    assert message.startswith(f"{MODEL}: downloading model.safetensors failed: ")
    made(mended)
    transfers = [one for one in hub.asked_for(MODEL, "model.safetensors") if one.storage]
    assert len(transfers) < 20  # attempts, of which each waits for a second
    assert not list(machine.home.rglob("*.incomplete"))


def test_a_server_that_cannot_resume_is_left(
    machine: Machine, hub: Hub, write_config: Callable[..., Path]
) -> None:
    """huggingface_hub alone would start anew for ever, as bytes come in each time."""
    files = {"model_config.json": with_text(TEXT), "model.safetensors": bytes(24 * 10**6)}
    repository = hub.add(MODEL, files, resumes=False)
    repository.cuts["model.safetensors"] = 1000
    [broken] = machine.commands([arguments(write_config())])
    message = refusal(broken, 1)
    assert message.startswith(f"{MODEL}: downloading model.safetensors failed: it breaks off each")
    transfers = [one for one in hub.asked_for(MODEL, "model.safetensors") if one.storage]
    assert len(transfers) < 20


def on_terminal(machine: Machine, *args: str) -> tuple[int, str]:
    """The exit code of the command, and what a terminal sees of its standard error."""
    pty = pytest.importorskip("pty")
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "audiogen_cli", *args],
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env={**os.environ, **machine.environment(HF_HUB_DISABLE_PROGRESS_BARS="0")},
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # how the end of a terminal is told
        while part := os.read(main, 10**6):
            shown += part
    os.close(main)
    return process.wait(300), shown.decode()


def test_a_terminal_sees_one_display(
    machine: Machine, hub: Hub, write_config: Callable[..., Path]
) -> None:
    """The download shows in our own bar, and not at all when quiet; huggingface_hub's stay away."""
    files = {"model_config.json": with_text(TEXT), "model.safetensors": bytes(24 * 10**6)}
    repository = hub.add(MODEL, files)
    config = write_config()
    repository.cuts["model.safetensors"] = 1  # for a second, it stands at the first 10 MB
    code, shown = on_terminal(machine, *arguments(config, "--quiet"))
    assert code == 2
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1

    shutil.rmtree(machine.home)
    repository.cuts["model.safetensors"] = 1
    code, shown = on_terminal(machine, *arguments(config))
    assert code == 2
    assert "getting the weights" in shown
    assert "10.5 MB/24.0 MB" in shown
    assert "model.safetensors:" not in shown.partition("error: ")[0]  # nor "%|", as tqdm has it
    assert "%|" not in shown


def test_a_pipe_sees_a_line_now_and_then(
    machine: Machine, hub: Hub, write_config: Callable[..., Path]
) -> None:
    """It says how much of the file has arrived."""
    files = {"model_config.json": with_text(TEXT), "model.safetensors": bytes(24 * 10**6)}
    hub.add(MODEL, files)
    [result] = machine.commands(
        [arguments(write_config())], before="progress.SECONDS_BETWEEN_LINES = 0"
    )
    assert "downloaded 10.5 MB of 24.0 MB\ndownloaded 21.0 MB of 24.0 MB\n" in result.err


@dataclass(frozen=True)
class Refused:
    """A command that fails."""

    code: int
    message: str
    model: str = MODEL


REFUSALS = {
    "no such repository": Refused(
        2, "acme/none: no such repository at {url}, or it is private: ", model="acme/none"
    ),
    "not a name": Refused(2, "'a/b/c' is not a repository name like 'owner/name'", model="a/b/c"),
    "no name": Refused(2, "'' is not a repository name like 'owner/name'", model=""),
    "another's": Refused(2, "acme/private: access is refused (HTTP 403): ", model="acme/private"),
    "gated": Refused(
        2,
        "acme/gated: access is restricted; accept its terms at {url}/acme/gated, then log in with"
        " 'hf auth login' or set HF_TOKEN",
        model="acme/gated",
    ),
    "hub is down": Refused(1, "acme/down: {url} answered with HTTP 500", model="acme/down"),
    "no hub": Refused(1, "acme/portal: {url} does not answer as a Hub does: ", model="acme/portal"),
    "no weights": Refused(
        2,
        "acme/empty: the repository holds neither model.safetensors nor model.ckpt",
        model="acme/empty",
    ),
    "no config": Refused(2, f"{TEXT}: the repository holds no model_config.json", model=TEXT),
    "wrong length": Refused(
        1, "acme/short: downloading model.safetensors failed: ", model="acme/short"
    ),
    "no text encoder": Refused(
        2,
        "acme/no-text/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
        "'acme/none' was not found; tried ",
        model="acme/no-text",
    ),
    "gated text encoder": Refused(
        2,
        "acme/gated-text/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
        "'acme/gated' was not found; tried ",
        model="acme/gated-text",
    ),
    "no pretrained model": Refused(
        2,
        "acme/empty-text/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
        "'acme/empty' is no pretrained model",
        model="acme/empty-text",
    ),
    "text encoder is down": Refused(
        1,
        "acme/down-text/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
        "acme/down: {url} answered with HTTP 500",
        model="acme/down-text",
    ),
    "broken text encoder": Refused(
        2,
        "acme/broken-text/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
        "'acme/broken' cannot be loaded: ",
        model="acme/broken-text",
    ),
    "text encoder without weights": Refused(
        2,
        "acme/light-text/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
        "'acme/light' holds no weights: none of 'model.safetensors', ",
        model="acme/light-text",
    ),
    "text encoder without tokenizer": Refused(
        2,
        "acme/mute-text/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
        "'acme/mute' holds no tokenizer: none of 'tokenizer.json', ",
        model="acme/mute-text",
    ),
    "wrong length of text encoder": Refused(
        1,
        "acme/cut-text/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
        "acme/cut: downloading model.safetensors failed: ",
        model="acme/cut-text",
    ),
}


TEXTS = {
    "no-text": "none",
    "gated-text": "gated",
    "empty-text": "empty",
    "down-text": "down",
    "broken-text": "broken",
    "light-text": "light",
    "cut-text": "cut",
    "mute-text": "mute",
}
"""Models whose text encoder is the matter."""


@pytest.fixture(scope="module")
def refusals(
    model_files: Mapping[str, bytes],
    text_files: Mapping[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Hub, dict[str, Result]]]:
    """What came of every one of them, with a token that opens nothing."""
    folder = tmp_path_factory.mktemp("refusals")
    config = folder / "config.json"
    samples = [{"prompt": "jazz", "seconds_start": 0, "seconds_total": 1}]
    config.write_text(json.dumps({"input": {"type": "config", "samples": samples}}))
    with Hub() as hub:
        hub.add("acme/private", model_files, token="another")  # noqa: S106
        hub.add("acme/gated", model_files, gated=True)
        hub.add("acme/down", model_files, status=500)
        hub.add("acme/portal", model_files, status=200)
        hub.add(TEXT, text_files)
        hub.add("acme/broken", {**text_files, "model.safetensors": b"{"})
        hub.add("acme/cut", text_files, short=("model.safetensors",))
        light = {key: value for key, value in text_files.items() if key != "model.safetensors"}
        hub.add("acme/light", light)
        mute = {name: text_files[name] for name in ("config.json", "model.safetensors")}
        hub.add("acme/mute", mute)
        hub.add("acme/empty", {"model_config.json": with_text(TEXT)})
        hub.add("acme/short", model_files, short=("model.safetensors",))
        for name, text in TEXTS.items():
            files = {**model_files, "model_config.json": with_text(f"acme/{text}")}
            hub.add(f"acme/{name}", files)
        results = Machine(hub, folder / "home").commands(
            [arguments(config, model=one.model) for one in REFUSALS.values()],
            HF_TOKEN=TOKEN,
        )
        yield hub, dict(zip(REFUSALS, results, strict=True))


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_one_message(name: str, refusals: tuple[Hub, dict[str, Result]]) -> None:
    """It says what is wrong and what to do; the exit code says whose turn it is."""
    hub, results = refusals
    expected = REFUSALS[name]
    assert expected.message.format(url=hub.url) in refusal(results[name], expected.code)


def test_a_text_encoder_is_looked_for_before_weights(
    refusals: tuple[Hub, dict[str, Result]],
) -> None:
    """No weights were asked for where it cannot be had."""
    hub, _ = refusals
    for name in TEXTS:
        assert hub.asked_for(f"acme/{name}", "model_config.json")
        assert not hub.asked_for(f"acme/{name}", "model.safetensors")


def test_without_a_token(machine: Machine, hub: Hub, write_config: Callable[..., Path]) -> None:
    """A private repository is a missing one; a gated one says where to accept its terms."""
    hub.add("acme/private", {}, token="another")  # noqa: S106
    hub.add("acme/gated", {}, gated=True)
    config = write_config()
    private, gated = machine.commands(
        [arguments(config, model=model) for model in ("acme/private", "acme/gated")]
    )
    assert "or it is private: check the name, or log in with" in refusal(private, 2)
    assert f"accept its terms at {hub.url}/acme/gated" in refusal(gated, 2)


def test_nothing_cached_and_no_hub(
    machine: Machine, hub: Hub, write_config: Callable[..., Path]
) -> None:
    """Offline mode and a network that is down are two messages."""
    config = write_config()
    [offline] = machine.commands([arguments(config)], HF_HUB_OFFLINE="1")
    assert refusal(offline, 1) == (
        f"{MODEL}: model_config.json is not in the local cache, and HF_HUB_OFFLINE forbids to "
        "download it"
    )
    hub.close()
    [gone] = machine.commands([arguments(config)])
    assert refusal(gone, 1).startswith(f"{MODEL}: {hub.url} cannot be reached: ")
