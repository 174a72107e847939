"""What machines that work for one address tell each other, in small objects at the address.

That is the key that seeds are drawn from, and which outputs are being uploaded: so that nobody
takes one whose metadata never came for somebody else's.
"""

from __future__ import annotations

from pathlib import Path

from audiogen_core.identity import digest
from audiogen_core.publishing import publish
from audiogen_core.runfolder import HIDDEN
from audiogen_core.runfolder.folder import SEEDS, RunFolder
from audiogen_core.runfolder.journal import line_of, records_of
from audiogen_core.storage.remote import RemoteStorage

_NAME = f"{HIDDEN}/{SEEDS}"


BEGUN = ".begun"


def learn_shared(folder: RunFolder, remote: RemoteStorage, *, anew: bool) -> None:
    """Takes in what stands at the address.

    Args:
        folder: The folder that the run works in.
        remote: The address.
        anew: Whether seeds are to be drawn with another key.
    """
    if not anew:
        _take(folder, remote.read(_NAME))
    for name in remote.hidden():
        if name.endswith(BEGUN):
            folder.learn(records_of(remote.read(name) or b""))


def marker_of(name: str) -> str:
    """The object that stands while an output of this name is uploaded."""
    return f"{HIDDEN}/{digest(name)[:32]}{BEGUN}"


def marker(name: str, identity: str) -> bytes:
    """What it holds: a line of a journal."""
    return line_of({"begun": name, "identity": identity, "turn": 0})


def share_seeds(folder: RunFolder, remote: RemoteStorage, *, anew: bool) -> None:
    """Brings the key to the address, or takes the one that others have brought there first.

    Args:
        folder: The folder that the run works in, open.
        remote: The address.
        anew: Whether its key takes the other's place.
    """
    if anew:
        remote.remove(_NAME)
    line = line_of({"key": folder.key})
    _take(folder, remote.create(_NAME, line))
    # What this machine keeps is only a copy, which others may be reading.
    kept, line = folder.hidden / SEEDS, line_of({"key": folder.key})

    def write(path: Path) -> None:
        path.write_bytes(line)

    if kept.read_bytes() != line:
        publish(kept, write, folder.path)


def _take(folder: RunFolder, content: bytes | None) -> None:
    for record in records_of(content or b""):
        if isinstance(key := record.get("key"), str):
            folder.take_key(key)
