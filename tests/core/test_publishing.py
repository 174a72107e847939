"""Publishing: files appear whole or not at all, and folders are tried without a trace."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from audiogen_core import publishing
from audiogen_core.errors import UsageError
from audiogen_core.publishing import check_output_folder, publish, remove_temporaries
from audiogen_core.runfolder.workers import this_worker


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Puts the umask back that a test changed."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    """What a folder holds."""
    return sorted(path.name for path in folder.iterdir())


def test_whole_file(tmp_path: Path) -> None:
    """What was written stands under its name, and nothing else is in the folder."""
    publish(tmp_path / "a.wav", lambda file: file.write_bytes(b"audio"))
    assert (tmp_path / "a.wav").read_bytes() == b"audio"
    assert names(tmp_path) == ["a.wav"]


def test_replaces(tmp_path: Path) -> None:
    """An older file of the name is replaced, also by a shorter one."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"an older file")
    publish(path, lambda file: file.write_bytes(b"new"))
    assert path.read_bytes() == b"new"


def test_written_beside_and_invisible_until_done(tmp_path: Path) -> None:
    """While it is written, the file is in the same folder under a hidden name of its own."""
    seen: list[Path] = []

    def write(file: Path) -> None:
        seen.append(file)
        assert not (tmp_path / "a.wav").exists()
        file.write_bytes(b"x")

    publish(tmp_path / "a.wav", write)
    publish(tmp_path / "b.wav", lambda file: (seen.append(file), file.write_bytes(b"y")))
    assert {file.parent for file in seen} == {tmp_path}
    assert all(file.name.startswith(".audiogen-") for file in seen)
    assert len(set(seen)) == 2


@pytest.mark.parametrize(
    "error", [OSError("disk full"), ValueError("no audio"), KeyboardInterrupt()]
)
def test_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    """A writer that fails or is interrupted leaves nothing behind, and the older file stands."""
    old = tmp_path / "old.wav"
    old.write_bytes(b"old")

    def write(file: Path) -> None:
        file.write_bytes(b"half")
        raise error

    for path in (old, tmp_path / "new.wav"):
        with pytest.raises(type(error)):
            publish(path, write)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old.wav": b"old"}


def test_failure_to_sync_or_replace_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails at the very end leaves nothing behind either."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        publish(tmp_path / "folder", lambda file: file.write_bytes(b"x"))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk gone")))
    with pytest.raises(OSError, match="disk gone"):
        publish(tmp_path / "a.wav", lambda file: file.write_bytes(b"x"))
    assert names(tmp_path) == ["folder"]


def test_writer_that_removes_its_file(tmp_path: Path) -> None:
    """A writer that leaves no file is an error, not an empty output."""
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "a.wav", lambda file: file.unlink())
    assert names(tmp_path) == []


def test_synced_before_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's content is on the disk before its name is, and the name at the end."""
    events: list[str] = []
    sync, replace = publishing._sync, Path.replace
    monkeypatch.setattr(
        publishing, "_sync", lambda path: (events.append(f"sync {path.suffix}"), sync(path))
    )
    monkeypatch.setattr(
        Path, "replace", lambda self, other: (events.append("rename"), replace(self, other))
    )
    publish(tmp_path / "a.wav", lambda file: file.write_bytes(b"x"))
    assert events == ["sync .part", "rename", "sync "]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    """A published file has the permissions that any new file of the user has."""
    os.umask(mask)
    publish(tmp_path / "a.wav", lambda file: file.write_bytes(b"x"))
    assert stat.S_IMODE((tmp_path / "a.wav").stat().st_mode) == mode


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that someone planted under the temporary name is an error, and its target stays."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    planted = tmp_path / f".audiogen-{this_worker()}-guessed.part"
    planted.symlink_to(victim)
    with pytest.raises(FileExistsError):
        publish(tmp_path / "a.wav", lambda file: file.write_bytes(b"x"))
    assert victim.read_bytes() == b"precious"
    assert planted.is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_link_at_the_output_is_replaced(tmp_path: Path) -> None:
    """A link under the output's name is replaced; what it led to stays."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "a.wav").symlink_to(victim)
    publish(tmp_path / "a.wav", lambda file: file.write_bytes(b"x"))
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "a.wav").is_symlink()


@pytest.mark.parametrize("folder", [".", "out", "a/b/c", "a/../b"])
def test_output_folder_is_tried_without_a_trace(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that can be made, relative or not, passes, and nothing is left of the trial."""
    monkeypatch.chdir(tmp_path)
    check_output_folder(Path(folder))
    check_output_folder(tmp_path / folder)
    assert names(tmp_path) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and /dev/null")
@pytest.mark.parametrize("folder", ["/proc/x", "/dev/null", "/dev/null/x", "file", "file/x"])
def test_output_folder_that_cannot_be(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be made is an error for everyone, an administrator too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=rf"^output\.output_dir: '{folder}' cannot be"):
        check_output_folder(Path(folder))
    assert names(tmp_path) == ["file"]


def test_output_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is in the message."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UsageError, match=r"cannot be written: Permission denied$"):
        check_output_folder(tmp_path / "out")


def test_what_a_killed_run_has_left_goes(tmp_path: Path) -> None:
    """Half a file, and the folder by which it tried whether it can make one."""
    for worker in ("dead", "alive"):
        (tmp_path / f".audiogen-{worker}-0.part").write_bytes(b"half")
        (tmp_path / f".audiogen-{worker}-1.part" / "a").mkdir(parents=True)
    remove_temporaries(tmp_path, lambda worker: worker == "dead")
    assert names(tmp_path) == [".audiogen-alive-0.part", ".audiogen-alive-1.part"]
