"""A Hugging Face Hub on the loopback address: real HTTP, as huggingface_hub speaks it.

Small files are served by the Hub itself; weights, as on the real one, by a storage server at
another address, which the Hub redirects to.
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
from typing import Self
from urllib.parse import unquote, urlsplit

STORED = (".safetensors", ".ckpt", ".bin")
"""The endings of what the storage server holds."""


@dataclass
class Repository:
    """A repository, and how it behaves.

    Attributes:
        commits: The files of each commit.
        refs: Branches and tags, by the commit that they point to.
        token: Who may read it; everyone by default.
        gated: Whether its terms have to be accepted first.
        status: A status code that answers every request, as 500 does when the Hub is down.
    """

    commits: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False
    status: int | None = None

    def commit(self, files: Mapping[str, bytes], *refs: str) -> str:
        """Adds a commit and points branches or tags at it."""
        content = repr((len(self.commits), sorted(files.items()))).encode()
        name = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.commits[name] = dict(files)
        self.refs.update(dict.fromkeys(refs or ("main",), name))
        return name


@dataclass(frozen=True)
class Request:
    """A request that was made: ``HEAD /acme/model/resolve/main/model_config.json``."""

    method: str
    path: str
    token: str | None
    range: str | None
    storage: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Hub:
    """A Hub, running while it is used as a context.

    Attributes:
        repositories: By name.
        requests: All that were made, in order.
        cuts: How often the transfer of a file still breaks off in its middle.
        short: Files that are sent with fewer bytes than were announced.
        before: Called with each request before it is answered.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.cuts: Counter[str] = Counter()
        self.short: set[str] = set()
        self.before: Callable[[Request], None] | None = None
        self._servers = [_Server(self, storage=False), _Server(self, storage=True)]

    def __enter__(self) -> Self:
        for server in self._servers:
            server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops serving: connections are refused from now on."""
        for server in self._servers:
            server.stop()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT has to be."""
        return self._servers[0].url

    @property
    def storage_url(self) -> str:
        """Where weights are."""
        return self._servers[1].url

    def add(self, name: str, files: Mapping[str, bytes], **behaviour: object) -> Repository:
        """Publishes a repository whose branch ``main`` holds ``files``."""
        repository = Repository(**behaviour)  # type: ignore[arg-type]
        repository.commit(files)
        self.repositories[name] = repository
        return repository

    def fetched(self, name: str) -> list[str]:
        """What was asked for, whatever the method, among requests for files of that name."""
        return [str(request) for request in self.requests if request.path.endswith(f"/{name}")]


class _Server(ThreadingHTTPServer):
    """One of the two servers of a Hub."""

    def __init__(self, hub: Hub, *, storage: bool) -> None:
        self.hub, self.storage = hub, storage
        self._thread = Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
            self.server_close()
            self._thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing: tests read `Hub.requests`."""

    def _answer(self) -> None:
        hub = self.server.hub
        self.path = unquote(urlsplit(self.path).path)
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        storage = self.server.storage
        request = Request(self.command, self.path, bearer, self.headers.get("Range"), storage)
        hub.requests.append(request)
        if hub.before is not None:
            hub.before(request)
        match self.path.strip("/").split("/"):
            case [owner, name, digest, *file] if storage:
                stored = hub.repositories[f"{owner}/{name}"].commits.values()
                contents = (files.get("/".join(file)) for files in stored)
                self._send(next(one for one in contents if one and _digest(one) == digest))
            case [owner, name, "resolve", revision, *file]:
                if (found := self._repository(f"{owner}/{name}", bearer)) is not None:
                    self._resolve(found, f"{owner}/{name}", revision, "/".join(file))
            case ["api", "models", owner, name]:
                if (found := self._repository(f"{owner}/{name}", bearer)) is not None:
                    body = {"id": f"{owner}/{name}", "sha": found.refs["main"], "tags": []}
                    self._send(json.dumps(body).encode(), {"Content-Type": "application/json"})
            case ["api", "models", owner, name, "tree", *_]:
                if self._repository(f"{owner}/{name}", bearer) is not None:
                    self._refuse(404, "EntryNotFound")
            case _:
                self._refuse(404)

    def _repository(self, name: str, bearer: str | None) -> Repository | None:
        """The repository, unless the answer was a refusal."""
        found = self.server.hub.repositories.get(name)
        if found is None or (found.token and bearer is None):
            # The real one does not tell what does not exist from what may not be seen.
            self._refuse(401 if bearer is None else 404, "RepoNotFound")
        elif found.status is not None:
            self._refuse(found.status)
        elif found.token not in (None, bearer):
            self._refuse(403)
        elif found.gated:
            self._refuse(401 if bearer is None else 403, "GatedRepo")
        else:
            return found
        return None

    def _resolve(self, repository: Repository, name: str, revision: str, file: str) -> None:
        commit = repository.refs.get(revision, revision)
        if (files := repository.commits.get(commit)) is None:
            return self._refuse(404, "RevisionNotFound")
        headers = {"X-Repo-Commit": commit}
        if (content := files.get(file)) is None:
            return self._refuse(404, "EntryNotFound", headers)
        if not file.endswith(STORED):
            return self._send(content, headers | {"ETag": f'"{_digest(content)}"'})
        digest = _digest(content)
        headers |= {
            "Location": f"{self.server.hub.storage_url}/{name}/{digest}/{file}",
            "X-Linked-Size": str(len(content)),
            "X-Linked-ETag": f'"{digest}"',
        }
        return self._send(b"", headers, 302)

    def _refuse(self, status: int, code: str = "", headers: Mapping[str, str] = {}) -> None:
        # Retry-After keeps clients from waiting for ever longer.
        more = {"X-Error-Code": code} if code else {"Retry-After": "0"}
        self._send(b"", {**headers, **more}, status)

    def _send(self, content: bytes, headers: Mapping[str, str] = {}, status: int = 200) -> None:
        hub, name = self.server.hub, self.path.rpartition("/")[2]
        body = content
        if status == 200 and self.command == "GET":
            if name in hub.short:
                body = content[:-1]
            if wanted := self.headers.get("Range"):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                status, body = 206, body[start:]
                headers = {
                    **headers,
                    "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}",
                }
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            if body and hub.cuts[name] > 0:
                hub.cuts[name] -= 1
                body = body[: max(0, len(body) - len(content) // 2)]
                self.close_connection = True
            self.wfile.write(body)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
