"""Files that one of several processes makes, also where a file system has no hard links."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from audiogen_core.runfolder import once
from audiogen_core.runfolder.claims import Claims
from audiogen_core.runfolder.folder import RunFolder
from audiogen_core.runfolder.once import create_once, read_whole


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system like exFAT."""

    def link(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(once, "SECONDS_TO_WRITE", 60)


@pytest.mark.usefixtures("without_links")
def test_one_of_two_makes_it(tmp_path: Path) -> None:
    """The second finds what the first has written, and nothing is left beside it."""
    assert create_once(tmp_path / "x", b"first")
    assert not create_once(tmp_path / "x", b"second")
    assert read_whole(tmp_path / "x") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.usefixtures("without_links")
def test_what_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """It is neither damaged nor nobody's."""
    path = tmp_path / "x"
    path.touch()

    def write() -> None:
        time.sleep(0.1)
        path.write_bytes(b"whole")

    writing = threading.Thread(target=write)
    writing.start()
    assert read_whole(path) == b"whole"
    writing.join()


@pytest.mark.usefixtures("without_links")
def test_what_a_killed_process_left_empty_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of a run whose seeds were never written is like a new one; so is a claim."""
    monkeypatch.setattr(once, "SECONDS_TO_WRITE", 0.1)
    folder = RunFolder(tmp_path)
    folder.hidden.mkdir()
    (folder.hidden / "seeds").touch()
    with RunFolder(tmp_path).open() as opened:
        key = opened.folder.key
    assert RunFolder(tmp_path).key == key
    claims = Claims(folder.hidden)
    (folder.hidden / "abc.0.claim").touch()
    assert claims.claim(["abc"])
    claims.release(["abc"])
    assert not list(folder.hidden.glob("*.claim"))
