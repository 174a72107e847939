"""A Hugging Face Hub on the loopback address: real HTTP, as huggingface_hub speaks it.

The Hub itself serves small files. Weights, as on the real one, are on a storage server at another
address, which the Hub redirects to and which must see no token.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

STORED = (".safetensors", ".ckpt", ".bin")
"""The endings of what the storage server holds."""


@dataclass
class Repository:
    """A repository, and how it behaves.

    Attributes:
        commits: The files of each commit.
        refs: Branches and tags, with the commit that each points to.
        token: The only one that may read it; everybody by default.
        gated: Whether its terms have to be accepted first.
        status: What answers every request: 500 for a Hub that is down, 200 for what is no Hub.
        cuts: How often the transfer of a file will break off in the middle.
        short: Files that arrive with fewer bytes than were announced.
        resumes: Whether the rest of a file can be asked for.
    """

    commits: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False
    status: int | None = None
    cuts: Counter[str] = field(default_factory=Counter)
    short: tuple[str, ...] = ()
    resumes: bool = True

    def commit(self, files: Mapping[str, bytes], *refs: str) -> str:
        """Adds a commit and points ``main``, or other branches and tags, at it."""
        content = repr((len(self.commits), sorted(files.items()))).encode()
        name = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.commits[name] = dict(files)
        self.refs.update(dict.fromkeys(refs or ("main",), name))
        return name


@dataclass(frozen=True)
class Request:
    """A request that was made.

    Attributes:
        method: ``HEAD`` or ``GET``.
        path: ``/acme/model/resolve/main/model_config.json``.
        token: The bearer token that came with it.
        storage: Whether the storage server got it.
    """

    method: str
    path: str
    token: str | None
    storage: bool


class Hub:
    """A Hub, running while it is used as a context.

    Attributes:
        repositories: By name.
        requests: All that were made, in order.
        url: What HF_ENDPOINT has to be.
        storage_url: Where the weights are.
        before: Called with each request before it is answered.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.before: Callable[[Request], None] | None = None
        self._servers = [_Server(self, storage=False), _Server(self, storage=True)]
        self.url, self.storage_url = (server.url for server in self._servers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, name: str, files: Mapping[str, bytes], **behaviour: Any) -> Repository:
        """Publishes a repository whose branch ``main`` holds ``files``."""
        self.repositories[name] = repository = Repository(**behaviour)
        repository.commit(files)
        return repository

    def asked_for(self, repository: str, file: str) -> list[Request]:
        """The requests for a file, whichever its revision."""
        ends = f"/{repository}/", f"/{file}"
        return [
            one
            for one in self.requests
            if one.path.startswith(ends[0]) and one.path.endswith(ends[1])
        ]

    def close(self) -> None:
        """Stops serving: connections are refused from now on."""
        for server in self._servers:
            server.stop()
        self._servers.clear()


class _Server(ThreadingHTTPServer):
    """One of the two servers of a Hub."""

    def __init__(self, hub: Hub, *, storage: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub, self.storage = hub, storage
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up without a word from us."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing: `Hub.requests` is the log."""

    def _answer(self) -> None:
        hub, storage = self.server.hub, self.server.storage
        path = unquote(urlsplit(self.path).path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        request = Request(self.command, path, token, storage)
        hub.requests.append(request)
        if hub.before is not None:
            hub.before(request)
        match path.strip("/").split("/"):
            case [owner, name, "resolve", revision, *file]:
                self._resolve(f"{owner}/{name}", revision, "/".join(file), token)
            case ["api", "models", owner, name, *what]:
                self._describe(f"{owner}/{name}", what, token)
            case ["api", "whoami-v2"]:
                self._send_json({"type": "user", "name": "ada"})
            case [owner, name, digest, *file] if storage:
                repository = hub.repositories[f"{owner}/{name}"]
                versions = (files.get("/".join(file)) for files in repository.commits.values())
                content = next(one for one in versions if one is not None and _sha(one) == digest)
                self._transfer(repository, "/".join(file), content)
            case _:
                self._refuse(404)

    def _readable(self, name: str, token: str | None) -> Repository | None:
        """The repository, unless a refusal was the answer."""
        found = self.server.hub.repositories.get(name)
        if found is None or (found.token is not None and token is None):
            # As the real one: it does not tell what is not there from what is private.
            self._refuse(401 if token is None else 404, "RepoNotFound")
        elif found.status is not None:
            self._refuse(found.status)
        elif found.token not in {None, token}:
            self._refuse(403)
        elif found.gated:
            self._refuse(401 if token is None else 403, "GatedRepo")
        else:
            return found
        return None

    def _resolve(self, name: str, revision: str, file: str, token: str | None) -> None:
        if (repository := self._readable(name, token)) is None:
            return
        commit = repository.refs.get(revision, revision)
        if (files := repository.commits.get(commit)) is None:
            self._refuse(404, "RevisionNotFound")
            return
        headers = {"X-Repo-Commit": commit}
        content = files.get(file)
        if content is None:
            self._refuse(404, "EntryNotFound", headers)
        elif file.endswith(STORED):
            headers["X-Linked-Size"] = str(len(content))
            headers["X-Linked-ETag"] = f'"{_sha(content)}"'
            headers["Location"] = f"{self.server.hub.storage_url}/{name}/{_sha(content)}/{file}"
            self._send(302, b"", headers)
        else:
            self._transfer(repository, file, content, headers | {"ETag": f'"{_sha(content)}"'})

    def _describe(self, name: str, what: list[str], token: str | None) -> None:
        if (repository := self._readable(name, token)) is None:
            return
        revision = what[1] if len(what) > 1 else "main"
        commit = repository.refs.get(revision, revision)
        match what:
            case _ if commit not in repository.commits:
                self._refuse(404, "RevisionNotFound")
            case [] | ["revision", _]:
                self._send_json({"id": name, "sha": commit, "tags": [], "siblings": []})
            case ["tree", _]:
                self._send_json([
                    {"type": "file", "path": path, "size": len(content), "oid": _sha(content)}
                    for path, content in repository.commits[commit].items()
                ])  # fmt: skip
            case _:
                self._refuse(404, "EntryNotFound")

    def _transfer(
        self,
        repository: Repository,
        file: str,
        content: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Sends a file, or the rest of it, as well as the repository lets it."""
        headers = {**(headers or {}), "Accept-Ranges": "bytes"}
        size, status, start = len(content), 200, 0
        if repository.resumes and (wanted := self.headers.get("Range")) is not None:
            status, start = 206, int(wanted.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        end, sent = size, size
        if self.command == "GET":
            if file in repository.short:
                end = sent = size - 1
            if repository.cuts[file] > 0:
                repository.cuts[file] -= 1
                sent = size // 2
                self.close_connection = True
        self._send(status, content[start:sent], headers, length=end - start)

    def _send_json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(
        self, status: int, code: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self._send(status, b"", {**(headers or {}), **({"X-Error-Code": code} if code else {})})

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str], length: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
