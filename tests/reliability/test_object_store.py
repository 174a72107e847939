"""Outputs for an address: what stands there, when, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Command, audiogen_process, local_model
from tests.crashes import contents
from tests.faults import batches_begun, spy

fsspec = pytest.importorskip("fsspec")

SAMPLES = [{"prompt": one} for one in ("kick", "snare", "hat")]
KEYS = {
    "AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "a-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}  # fmt: skip


@pytest.fixture
def arguments(tiny_model: Path, write_config: Callable[..., Path]) -> Callable[..., list[Any]]:
    """Those of a run of three outputs that goes to an address."""

    def made(address: str, **output: Any) -> list[Any]:
        config = write_config(
            generation={"seed": -1},
            conditioning_defaults={"seconds_total": 0.2},
            input={"type": "config", "samples": SAMPLES},
            output={"output_dir": address, "file_naming": "prompt", **output},
        )
        return ["generate", *local_model(tiny_model), "--generation-config", config]

    return made


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A store in this process, and a cache of its own to work in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()


def content(store: Any, root: str = "/sounds") -> dict[str, bytes]:
    """All objects below a place, but for those that runs keep for themselves."""
    found = {path.removeprefix(f"{root}/"): store.cat_file(path) for path in store.find(root)}
    return {name: data for name, data in found.items() if not name.startswith(".audiogen/")}


def left_over(cache: Path) -> list[Path]:
    """The outputs that are still in the folder that runs work in."""
    return [path for path in cache.rglob("*") if path.suffix in {".wav", ".json", ".part"}]


def test_outputs_go_to_the_address(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any, tmp_path: Path
) -> None:
    """Audio and metadata stand there whole, nothing stays here, and the addresses are printed."""
    result = audiogen(*arguments("memory://sounds/"))
    assert result.code == 0, result.err
    names = ["kick", "snare", "hat"]
    assert result.out.splitlines() == [f"memory://sounds/{name}.wav" for name in names]
    stands = content(memory)
    assert sorted(stands) == sorted(f"{name}.{end}" for name in names for end in ("json", "wav"))
    for name in names:
        assert json.loads(stands[f"{name}.json"])["output"]["bytes"] == len(stands[f"{name}.wav"])
    assert not left_over(tmp_path / "cache")


def test_the_address_of_a_file_is_a_folder(
    audiogen: Command, arguments: Callable[..., list[Any]], tmp_path: Path
) -> None:
    """Outputs stand there as if the path had been given."""
    result = audiogen(*arguments((tmp_path / "out").as_uri()))
    assert (result.code, result.out.splitlines()[0]) == (0, str(tmp_path / "out" / "kick.wav"))
    assert (tmp_path / "out" / ".audiogen" / "seeds").is_file()


@pytest.mark.parametrize("scheme", ["memory", "local"])
def test_another_machine_goes_on(
    scheme: str, audiogen: Command, arguments: Callable[..., list[Any]], memory: Any,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It knows nothing but the store: it makes what is missing, with the same drawn seeds.

    The store may have real folders, none of which is there before.
    """
    del memory
    store, root = fsspec.filesystem(scheme), str(tmp_path / "a" / "sounds")
    address = f"{scheme}://{root}"
    call = arguments(address, shard_dirs=2)
    result = audiogen(*call)
    assert result.code == 0, result.err
    before = content(store, root)
    assert len(before) == 6
    store.rm_file(next(f"{root}/{name}" for name in before if name.endswith("snare.wav")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    result = audiogen(*call)
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 1
    assert content(store, root) == before
    result = audiogen(*call)
    assert (result.code, result.out) == (0, "")
    assert f"all 3 outputs stand in '{address}' already" in result.err


def test_what_a_run_has_written_down_is_not_read_again(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A machine that made the outputs resumes from one listing: no metadata is fetched."""
    call = arguments("memory://sounds")
    assert audiogen(*call).code == 0
    fetched: list[str] = []
    kind = type(memory)
    monkeypatch.setattr(kind, "cat_file", lambda _, path, **__: fetched.append(path) or b"")
    result = audiogen(*call)
    assert (result.code, result.out) == (0, ""), result.err
    assert [path for path in fetched if not path.endswith("/seeds")] == []


def test_a_foreign_object_is_not_touched(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any
) -> None:
    """Something of the same name is a problem before the model is loaded, unless it may go."""
    memory.pipe_file("/sounds/snare.wav", b"mine")
    call = arguments("memory://sounds")
    result = audiogen(*call)
    assert (result.code, result.out) == (2, "")
    assert "'snare.wav' (input.samples[1])" in result.err
    assert content(memory) == {"snare.wav": b"mine"}
    assert audiogen(*call, "--on-existing", "rename").code == 0
    assert content(memory)["snare.wav"] == b"mine"
    assert "snare-2.json" in content(memory)


def test_an_upload_that_fails_costs_its_output(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is told and written down, and the next run makes it; the others stand."""
    put = type(memory).put_file

    def refuse(store: Any, local: str, path: str, **options: Any) -> None:
        if path.endswith("snare.json"):
            raise PermissionError("not for you")
        put(store, local, path, **options)

    call = arguments("memory://sounds")
    with monkeypatch.context() as patched:
        patched.setattr(type(memory), "put_file", refuse)
        result = audiogen(*call)
    assert result.code == 3
    assert "not for you" in result.err
    assert sorted(content(memory)) == ["hat.json", "hat.wav", "kick.json", "kick.wav", "snare.wav"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    result = audiogen(*call)  # another machine knows that it is no stranger's
    assert (result.code, result.out) == (0, "memory://sounds/snare.wav\n"), result.err
    assert [path for path in memory.find("/sounds") if path.endswith(".begun")] == []


def test_a_file_is_made_again_at_an_address(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any, tmp_path: Path
) -> None:
    """By ``--out`` or ``--set``, with its own name or another; nothing stays here."""
    result = audiogen(*arguments(str(tmp_path / "out")))
    old, other, _ = [Path(line) for line in result.out.splitlines()]
    for number, (files, asked, names) in enumerate([
        ([old, other], ["--out", "memory://again/0"], ["kick", "snare"]),
        ([old], ["--out", "memory://again/1/mine.wav"], ["mine"]),
        ([old], ["--set", "output.output_dir=memory://again/2"], ["kick"]),
    ]):  # fmt: skip
        result = audiogen("again", *files, *asked)
        assert result.code == 0, result.err
        made = [f"memory://again/{number}/{name}.wav" for name in names]
        assert result.out.splitlines() == made
        stands = content(memory, f"/again/{number}")
        assert sorted(stands) == sorted(
            f"{name}.{end}" for name in names for end in ("json", "wav")
        )
        for file, name in zip(files, names, strict=True):
            assert stands[f"{name}.wav"] == file.read_bytes()
        result = audiogen("again", *files, *asked)
        assert (result.code, result.out) == (0, ""), result.err
    assert not left_over(tmp_path / "cache")
    old.with_suffix(".json").unlink()  # tags alone will do
    result = audiogen("again", old, "--out", "memory://again/3/", *arguments("")[1:5])
    assert result.code == 0, result.err
    assert content(memory, "/again/3")["kick.wav"] == old.read_bytes()


@pytest.mark.parametrize(
    ("address", "output", "message"),
    [
        ("s3://someone:a-secret@bucket/x", {}, "holds a user or a password"),
        ("s3://bucket/x?versionId=1", {}, "without '?' and '#'"),
        ("s3://", {}, "names no place in the store"),
        ("nosuch://bucket/x", {}, "cannot be reached"),
        ("memory://x", {"save_metadata": False}, "output.save_metadata: must be true"),
        ("memory://x", {"manifest": "jsonl"}, "'manifest' is made of the files in a folder"),
    ],
)
def test_addresses_that_are_refused(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any, tmp_path: Path,
    address: str, output: dict[str, Any], message: str,
) -> None:  # fmt: skip
    """One message, which holds no password, exit code 2, and nothing is written."""
    result = audiogen(*arguments(address, **output))
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "a-secret" not in result.err
    assert not (tmp_path / "cache").exists()


def test_a_missing_library_is_told(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Without s3fs, the message says how to get it."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    result = audiogen(*arguments("s3://bucket/x"))
    assert result.code == 2
    assert "pip install 'audiogen[storage]'" in result.err


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """An S3 server on the loopback with one bucket, and the environment that reaches it."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **KEYS},
    )  # fmt: skip
    environment = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        s3_do(environment, "store.mkdir('bucket')")
        yield environment
    finally:
        server.terminate()
        server.wait()


def s3_do(environment: dict[str, str], what: str) -> Any:
    """What an expression says of the server, asked in a process of its own."""
    code = (
        "import json, s3fs; from audiogen_core.storage.remote import RemoteStorage; "
        "store = s3fs.S3FileSystem(); "
        f"print(json.dumps({what}, default=lambda data: data.hex()))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True, text=True, timeout=300, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_workers_and_runs_leave_whole_objects_in_s3(
    audiogen: Command, arguments: Callable[..., list[Any]], s3: dict[str, str], tmp_path: Path
) -> None:
    """After SIGKILL all metadata there belongs to whole audio; another machine ends the run.

    A worker that dies is replaced; in the end all objects are those of a run that nothing disturbs.
    """
    call = [*arguments("s3://bucket/sounds"), "--max-batch", "1", "--set", "generation.seed=1"]
    workers = ["--executor", "processes", "--executor-option", "workers=1"]
    spied = spy(tmp_path, {"snare": 1}, pause=1.0)
    spied["OMP_NUM_THREADS"] = str(torch.get_num_threads())
    killed = subprocess.Popen(
        [sys.executable, "-m", "audiogen_cli", *map(str, call), *workers],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **s3, **spied, "XDG_CACHE_HOME": str(tmp_path / "one")},
    )
    assert killed.stdout is not None
    first, second = killed.stdout.readline(), killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert (first, second) == (b"s3://bucket/sounds/kick.wav\n", b"s3://bucket/sounds/snare.wav\n")
    begun = batches_begun(tmp_path / "log")
    assert [prompts for _, prompts in begun[:3]] == [("kick",), ("snare",), ("snare",)]
    assert begun[1][0] != begun[2][0]
    everything = "store.cat(store.find('bucket/sounds'))"
    before = s3_do(s3, everything)
    whole = [path for path in before if path.endswith(".json")]
    assert "bucket/sounds/kick.json" in whole
    for path in whole:
        size = json.loads(bytes.fromhex(before[path]))["output"]["bytes"]
        assert len(bytes.fromhex(before[path.replace(".json", ".wav")])) == size
    went_on = audiogen_process(*call, **s3, XDG_CACHE_HOME=str(tmp_path / "two"))
    assert went_on.code == 0, went_on.err
    assert "kick" not in went_on.out
    after = s3_do(s3, everything)
    del after["bucket/sounds/.audiogen/seeds"]
    assert audiogen(*call, "--out", tmp_path / "alone").code == 0
    expected = contents(tmp_path / "alone")
    assert {
        path.rpartition("/")[2]: bytes.fromhex(data) for path, data in after.items()
    } == expected
    assert all(after[path] == before[path] for path in before if path in whole)


def test_a_key_is_made_once_in_s3(s3: dict[str, str]) -> None:
    """Of two machines that bring one, the second gets what the first has brought."""
    made = "RemoteStorage('s3://bucket/once').create('key', b'%s')"
    assert s3_do(s3, f"[{made % 'a'}, {made % 'b'}]") == [b"a".hex(), b"a".hex()]


def test_a_bucket_that_is_not_there(
    arguments: Callable[..., list[Any]], s3: dict[str, str], tmp_path: Path
) -> None:
    """One message before the model is loaded, without the keys."""
    cache = str(tmp_path / "cache")
    result = audiogen_process(*arguments("s3://nowhere/x"), **s3, XDG_CACHE_HOME=cache)
    assert (result.code, result.out) == (2, "")
    assert "'s3://nowhere/x' cannot be read" in result.err
    assert "a-secret" not in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "cache").exists()


def test_a_plan_knows_the_seeds_that_another_machine_has_drawn(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """They are open as long as no run has fixed them, and then those of the files."""
    _, *call = arguments("memory://sounds")

    def planned() -> tuple[bool, list[int]]:
        head, *outputs = map(json.loads, audiogen("plan", *call, "--json").out.splitlines())
        return head["seeds_open"], [one["seed"] for one in outputs]

    assert planned()[0]
    assert audiogen("generate", *call).code == 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    files = [content(memory)[f"{one['prompt']}.json"] for one in SAMPLES]
    drawn = [json.loads(file)["generation_config"]["seed"] for file in files]
    assert planned() == (False, drawn)


def test_what_another_machine_has_put_there_is_looked_at(
    audiogen: Command, arguments: Callable[..., list[Any]], memory: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What this machine wrote down is believed of audio of its size alone."""
    call = arguments("memory://sounds")
    assert audiogen(*call).code == 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    shorter = [*call, "--set", "conditioning_defaults.seconds_total=0.1"]
    assert audiogen(*shorter, "--on-existing", "overwrite").code == 0
    theirs = content(memory)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = audiogen(*call)
    assert (result.code, result.out) == (2, "")
    assert "'kick.wav' (input.samples[0])" in result.err
    assert content(memory) == theirs
