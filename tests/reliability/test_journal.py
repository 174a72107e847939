"""The journal, cut and flipped at every byte: what it says is true, or it says nothing."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audiogen_core.errors import InputError
from audiogen_core.runfolder import HIDDEN
from audiogen_core.runfolder.folder import RunFolder
from audiogen_core.runfolder.journal import ENDING, line_of, records_of
from tests.conftest import Command, local_model, report_of

NAMES = ("kick", "snare", "tom")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a folder with three outputs, of which the last was begun only."""
    folder = RunFolder(tmp_path_factory.mktemp("out"))
    with folder.open() as work:
        for number, name in enumerate(NAMES):
            work.begin(f"{name}.wav", f"{number:032x}")
            if name != NAMES[-1]:
                work.finish(f"{name}.wav", f"{number:032x}", 1000 + number)
    (path,) = folder.hidden.glob(f"*{ENDING}")
    return path


def damaged(content: bytes) -> Iterator[bytes]:
    """The content cut at every byte, and with every bit of every byte flipped."""
    for place in range(len(content)):
        yield content[:place]
        for bit in range(8):
            yield content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def test_damage_never_makes_a_record_wrong(journal: Path, tmp_path: Path) -> None:
    """Each output is known as it was, as it was a line earlier, or not at all."""
    hidden = tmp_path / HIDDEN
    hidden.mkdir()
    shutil.copy(journal.with_name("seeds"), hidden)
    states: dict[str, set[object]] = {
        "kick": {None, ("0" * 32, None), ("0" * 32, 1000)},
        "snare": {None, (f"{1:032x}", None), (f"{1:032x}", 1001)},
        "tom": {None, (f"{2:032x}", None)},
    }
    seen: dict[str, set[object]] = {name: set() for name in NAMES}
    copy = hidden / "of-another-1.journal"
    for content in damaged(journal.read_bytes()):
        copy.write_bytes(content)
        folder = RunFolder(tmp_path)
        for name in NAMES:
            record = folder.record(f"{name}.wav")
            seen[name].add(None if record is None else (record.identity, record.size))
    assert seen == states


def test_a_damaged_key_is_recovered_or_refused(journal: Path, tmp_path: Path) -> None:
    """No damage makes other seeds of the same folder: it is refused, and the message says how."""
    hidden = tmp_path / HIDDEN
    hidden.mkdir()
    shutil.copy(journal, hidden)
    content = journal.with_name("seeds").read_bytes()
    (hidden / "seeds").write_bytes(content)
    key = RunFolder(tmp_path).key
    others = list(damaged(content))
    refused = []
    for other in others:
        (hidden / "seeds").write_bytes(other)
        try:
            assert RunFolder(tmp_path).key == key
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 0.9 * len(others)
    assert all("--new-seeds" in message for message in refused)


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """Another process's journal is read as it grows."""
    hidden = tmp_path / HIDDEN
    hidden.mkdir()
    folder = RunFolder(tmp_path)
    line = line_of({"done": "a.wav", "identity": "0" * 32, "bytes": 5, "turn": 0})
    with (hidden / "of-another-1.journal").open("ab", buffering=0) as file:
        for start in range(len(line)):
            file.write(line[start : start + 1])
            folder.refresh()
            assert (folder.record("a.wav") is not None) == (start == len(line) - 1)


def test_names_of_any_kind_come_back() -> None:
    """Names are kept to the letter, line breaks and lone surrogates too."""
    for name in ("ü.wav", "a\nb.wav", "\ud800.wav", "\u2028.wav", "x" * 250):
        (record,) = records_of(line_of({"begun": name, "identity": ""}))
        assert record["begun"] == name


def test_a_lost_journal_costs_nothing_where_there_is_metadata(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """The metadata says as much, so that a folder can be passed on without its hidden files."""
    config = write_config()
    run: list[Any] = ["generate", *local_model(tiny_model), "--generation-config", config]
    assert audiogen(*run).code == 0
    shutil.rmtree(tmp_path / "out" / HIDDEN)
    again = audiogen(*run)
    assert (again.code, again.out) == (0, "")
    assert "nothing to do" in again.err


def test_without_metadata_and_journal_a_file_is_foreign(
    tiny_model: Path, write_config: Callable[..., Path], audiogen: Command, tmp_path: Path
) -> None:
    """Nobody knows what it was made from: it is not touched."""
    config = write_config(output={"save_metadata": False})
    run: list[Any] = ["generate", *local_model(tiny_model), "--generation-config", config]
    assert audiogen(*run).code == 0
    again = audiogen(*run)
    assert (again.code, again.out) == (0, "")
    shutil.rmtree(tmp_path / "out" / HIDDEN)
    refused = audiogen(*run)
    assert refused.code == 2
    assert "made from something else" in refused.err


@pytest.mark.parametrize("late", ["a-1.journal", "z-1.journal"])
def test_the_later_of_two_journals_is_believed(tmp_path: Path, late: str) -> None:
    """Whatever the journals are called: the names say nothing about who was there first."""
    first = RunFolder(tmp_path)
    with first.open() as work:
        work.begin("kick.wav", "0" * 32)
        work.begin("snare.wav", "1" * 32)
    (path,) = first.hidden.glob(f"*{ENDING}")
    path.rename(path.with_name("m-1.journal"))  # of a machine that is not heard of any more
    shutil.copy(first.hidden / "m-1.journal", tmp_path / "kept")
    second = RunFolder(tmp_path)
    with second.open() as work:
        work.begin("kick.wav", "0" * 32)
        work.finish("kick.wav", "0" * 32, 5)
        work.begin("snare.wav", "2" * 32)
        work.finish("snare.wav", "2" * 32, 6)
    (path,) = second.hidden.glob(f"*{ENDING}")
    path.rename(path.with_name(late))
    shutil.move(tmp_path / "kept", second.hidden / "m-1.journal")
    found = RunFolder(tmp_path)
    for name, identity, size in (("kick.wav", "0" * 32, 5), ("snare.wav", "2" * 32, 6)):
        record = found.record(name)
        assert record is not None
        assert (record.identity, record.size) == (identity, size)


@pytest.mark.parametrize("text", [b"{", b"[" * 100_000, b"[1]", b"\xff"])
def test_a_line_that_is_no_record_is_passed_over(text: bytes) -> None:
    """Its checksum may be right: a file that is not of our making is no reason to crash."""
    assert list(records_of(b"%08x %s\n" % (zlib.crc32(text), text))) == []


@pytest.mark.parametrize("planted", ["file", "link"])
def test_what_is_no_folder_is_refused(
    planted: str,
    tiny_model: Path,
    write_config: Callable[..., Path],
    audiogen: Command,
    tmp_path: Path,
) -> None:
    """A file or a link in place of the hidden folder is an error before the model is loaded."""
    hidden, elsewhere = tmp_path / "out" / HIDDEN, tmp_path / "elsewhere"
    hidden.parent.mkdir()
    elsewhere.mkdir()
    hidden.touch() if planted == "file" else hidden.symlink_to(elsewhere)
    config = write_config()
    result = audiogen("generate", *local_model(tiny_model), "--generation-config", config)
    assert result.code == 2
    assert f"output.output_dir: '{hidden}' is not a folder" in result.err
    assert not list(elsewhere.iterdir())


SHORT = """
import resource, signal, sys
from pathlib import Path
from audiogen_core.runfolder.journal import Journal, line_of

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
record = {"begun": "kick.wav"}
room = len(line_of(record)) + 5
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
with Journal(Path(sys.argv[1])) as journal:
    journal.append(record)
    try:
        journal.append(record)
    except OSError:
        print("true")
"""


def test_a_record_that_is_not_written_whole_is_an_error(tmp_path: Path) -> None:
    """Where a disk is about to be full, a part of it may be written without an error."""
    assert report_of("-c", SHORT, str(tmp_path / f"one{ENDING}")) is True


def test_a_journal_that_is_taken_over_while_they_are_read_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines are in another by then, which may have been read before."""
    hidden = tmp_path / HIDDEN
    hidden.mkdir()
    line = line_of({"done": "a.wav", "identity": "0" * 32, "bytes": 5, "turn": 0})
    heir, dead = hidden / "a-1.journal", hidden / "b-1.journal"
    heir.write_bytes(b"")
    dead.write_bytes(line)
    opened = Path.open

    def open_late(path: Path, *arguments: Any, **others: Any) -> Any:
        if path == dead and dead.exists():
            heir.write_bytes(line)
            dead.unlink()
        return opened(path, *arguments, **others)

    monkeypatch.setattr(Path, "open", open_late)
    assert RunFolder(tmp_path).record("a.wav") is not None


def test_runs_of_one_process_leave_one_journal(tmp_path: Path) -> None:
    """A program that writes again and again reads no more and more; two at once keep theirs."""
    for number in range(5):
        with RunFolder(tmp_path).open() as folder:
            folder.begin(f"{number}.wav", "0" * 32)
            folder.finish(f"{number}.wav", "0" * 32, 5)
    assert len(list((tmp_path / HIDDEN).glob(f"*{ENDING}"))) == 1
    with RunFolder(tmp_path).open() as one, RunFolder(tmp_path).open() as other:
        one.begin("a.wav", "1" * 32)
        other.begin("b.wav", "1" * 32)
    known = RunFolder(tmp_path)
    assert all(known.record(f"{name}.wav") for name in [*range(5), "a", "b"])
