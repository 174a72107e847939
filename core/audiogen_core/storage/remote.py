"""An object store, such as S3, through fsspec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogen_core.errors import InputError, Problem
from audiogen_core.registry import describe
from audiogen_core.runfolder import HIDDEN
from audiogen_core.storage.interface import MAX_METADATA, Storage

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class RemoteStorage(Storage):
    """The objects below an address.

    Args:
        address: Like ``s3://bucket/folder``.

    Raises:
        InputError: What reaches it is not installed, or it cannot be listed.
    """

    COSTLY = True

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._files, self._root = _opened(self.address)
        self._sizes: dict[str, int] = {}
        self._hidden: list[str] = []
        self._folders: set[str] = set()
        try:
            self._list()
        # Every kind of store has errors of its own.
        except Exception as error:
            raise self.refused(error) from None

    def refused(self, error: Exception) -> InputError:
        """The error for a user whose address cannot be read."""
        return _refused(f"'{self.address}' cannot be read: {describe(error)}")

    def _list(self) -> None:
        self._files.invalidate_cache()
        found: dict[str, Any] = self._files.find(self._root, detail=True)
        start = len(self._root.rstrip("/")) + 1
        sizes = {path[start:]: int(info.get("size") or 0) for path, info in found.items()}
        for name, size in sizes.items():
            if name.startswith(f"{HIDDEN}/"):
                self._hidden.append(name)
            else:
                self._sizes[name] = size

    def names(self) -> Iterator[str]:
        """The names below the address."""
        yield from self._sizes

    def hidden(self) -> list[str]:
        """The objects that runs keep for themselves, as they were listed."""
        return self._hidden

    def stands(self, name: str) -> bool:
        """Asks for one object."""
        path = self._path(name)
        self._sizes.pop(name, None)
        with suppress(FileNotFoundError), _os_errors():
            self._files.invalidate_cache(path.rpartition("/")[0])
            self._sizes[name] = int(self._files.info(path).get("size") or 0)
        return name in self._sizes

    def size(self, name: str) -> int | None:
        """The bytes of an object, as it was listed or looked up."""
        return self._sizes.get(name)

    def metadata(self, name: str) -> bytes | None:
        """Gets an object."""
        return None if (self.size(name) or 0) > MAX_METADATA else self.read(name)

    def put(self, file: Path, name: str) -> None:
        """Uploads a file: to an object store all of its bytes, or none."""
        with _os_errors():
            self._files.put_file(str(file), self._new_path(name))
        self._sizes[name] = file.stat().st_size

    def write(self, name: str, content: bytes) -> None:
        """Makes an object of a few bytes, or replaces it."""
        with _os_errors():
            self._files.pipe_file(self._new_path(name), content)

    def remove(self, name: str) -> None:
        """Removes an object, if it is there."""
        with suppress(FileNotFoundError), _os_errors():
            self._files.rm_file(self._path(name))
        self._sizes.pop(name, None)

    def read(self, name: str) -> bytes | None:
        """The content of an object; None where there is none."""
        content: bytes | None = None
        with suppress(FileNotFoundError), _os_errors():
            content = self._files.cat_file(self._path(name))
        return content

    def create(self, name: str, content: bytes) -> bytes:
        """Makes an object unless there is one: of several that try, one does.

        But for stores that cannot decide that at once: they look, and then write.

        Returns:
            What it holds then.
        """
        with suppress(FileExistsError), _os_errors():
            self._files.pipe_file(self._new_path(name), content, mode="create")
        return self.read(name) or content

    def _new_path(self, name: str) -> str:
        """The path of an object to write, in a folder that is there."""
        path = self._path(name)
        folder = path.rpartition("/")[0]
        # Paths in an object store begin with a bucket: it has no folders, and would make a bucket.
        if path.startswith("/") and folder not in self._folders:
            self._files.makedirs(folder, exist_ok=True)
            self._folders.add(folder)
        return path

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


@contextmanager
def _os_errors() -> Iterator[None]:
    """Makes the errors of a store's own library those that a disk would have."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(describe(error)) from None


def _opened(address: str) -> tuple[AbstractFileSystem, str]:
    """The file system of an address, and the path in it.

    Raises:
        InputError: What reaches it is not installed.
    """
    scheme = address.partition("://")[0]
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        hint = "pip install 'audiogen[storage]'"
        raise _refused(f"an address needs fsspec ({error}): {hint}") from None
    try:
        files, root = url_to_fs(address)
    except ImportError as error:
        hint = "pip install 'audiogen[storage]'" if scheme in {"s3", "s3a"} else "install it"
        raise _refused(f"'{scheme}://' needs what is not installed ({error}): {hint}") from None
    except Exception as error:
        raise _refused(f"'{address}' cannot be reached: {describe(error)}") from None
    return files, root


def _refused(what: str) -> InputError:
    return InputError(Problem("output.output_dir", what))
