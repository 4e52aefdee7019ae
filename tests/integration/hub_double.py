"""A hub of models on 127.0.0.1, with the store of large files on another port, as the real one."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
CACHE = "/api/resolve-cache/models/"
"""Where the hub itself sends who asks for a small file."""
LARGE = (".safetensors", ".gguf", ".bin", ".pt")

Fault = Callable[["Talk", bytes], None]
"""What happens instead of an answer: it is given the exchange and the bytes that were due."""


@dataclass
class Repository:
    files: dict[str, bytes]
    commit: str = COMMIT
    revisions: tuple[str, ...] = ("main",)
    announced: dict[str, bytes] = field(default_factory=dict)
    """Contents that the listing tells of, where they are not those that come."""
    key: str = ""
    """Wanted to let anybody in."""
    gated: bool = False


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class HubDouble:
    """What it holds, what it was asked, and its next faults, by the end of the path."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    address: str = ""
    store: str = ""

    def put(self, repo_id: str, files: dict[str, bytes]) -> Repository:
        self.repositories[repo_id] = Repository(files)
        return self.repositories[repo_id]

    def fail(self, path: str, *faults: Fault) -> None:
        """Have the next requests for the bytes of a file meet these faults, one each."""
        self.faults.setdefault(path, []).extend(faults)

    def gets(self, end: str) -> list[Asked]:
        return [one for one in self.asked if one.method == "GET" and one.path.endswith(end)]


def oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324  # git's


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Talk(BaseHTTPRequestHandler):
    """One exchange, with the hub (``hub``) or its store."""

    protocol_version = "HTTP/1.1"
    hub: HubDouble
    of_store = False

    def log_message(self, format: str, *args: object) -> None:  # the name it has
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(Asked(self.command, path, dict(self.headers)))
        if self.of_store:
            self._large(path)
        elif path.startswith(CACHE):
            self._small(path.removeprefix(CACHE))
        elif path.startswith("/api/models/"):
            self._listing(path.removeprefix("/api/models/"))
        else:
            self._resolve(path)

    def say(self, status: int, body: bytes = b"", /, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refused(self, repository: Repository | None) -> bool:
        if repository is None:
            self.say(404, X_Error_Code="RepoNotFound")
            return True
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository.gated and not given:
            self.say(401, X_Error_Code="GatedRepo", X_Error_Message="Access is restricted.")
            return True
        if repository.key and given != repository.key:
            code = {} if given else {"X_Error_Code": "RepoNotFound"}
            self.say(403 if given else 401, b"", **code)
            return True
        return False

    def _met(self, end: str, due: bytes) -> bool:
        faults = self.hub.faults.get(end)
        if not faults:
            return False
        faults.pop(0)(self, due)
        return True

    def _listing(self, path: str) -> None:
        repo_id, _, revision = path.partition("/revision/")
        repository = self.hub.repositories.get(repo_id)
        if self._met("listing", b"") or self._refused(repository) or repository is None:
            return
        if revision not in (*repository.revisions, repository.commit):
            self.say(404, X_Error_Code="RevisionNotFound")
            return
        announced = {**repository.files, **repository.announced}
        body = {
            "id": repo_id,
            "sha": repository.commit,
            "siblings": [_sibling(name, content) for name, content in announced.items()],
        }
        self.say(200, json.dumps(body).encode(), Content_Type="application/json")

    def _resolve(self, path: str) -> None:
        repo_id, _, rest = path.removeprefix("/").partition("/resolve/")
        commit, _, name = rest.partition("/")
        repository = self.hub.repositories.get(repo_id)
        if self._refused(repository) or repository is None:
            return
        if commit != repository.commit or name not in repository.files:
            self.say(404, X_Error_Code="EntryNotFound")
            return
        content = repository.files[name]
        announced = repository.announced.get(name, content)
        told = {"X_Repo_Commit": commit}
        if name.endswith(LARGE):
            told |= {
                "X_Linked_Size": str(len(announced)),
                "X_Linked_Etag": f'"{sha256(announced)}"',
                "Location": f"{self.hub.store}/{quote(repo_id)}/{quote(name)}?signature=s",
            }
            self.say(302, b"", **told)
        else:
            self.say(307, b"", **told, Location=quote(f"{CACHE}{repo_id}/{commit}/{name}"))

    def _small(self, path: str) -> None:
        owner, repo, commit, name = path.split("/", 3)
        repository = self.hub.repositories[f"{owner}/{repo}"]
        if self._refused(repository):
            return
        content = repository.files[name]
        announced = repository.announced.get(name, content)
        told = {"X_Repo_Commit": commit, "ETag": f'"{oid(announced)}"'}
        if self.command == "HEAD":
            self.say(200, b"", **told, Content_Length=str(len(announced)))
        elif not self._met(name, content):
            self._bytes(content, told)

    def _large(self, path: str) -> None:
        for repo_id, repository in self.hub.repositories.items():
            name = path.removeprefix(f"/{repo_id}/")
            if name in repository.files:
                content = repository.files[name]
                if not self._met(name, content):
                    self._bytes(content, {})
                return
        self.say(404)

    def _bytes(self, content: bytes, headers: dict[str, str]) -> None:
        ranged = self.headers.get("Range", "").removeprefix("bytes=")
        if not ranged:
            self.say(200, content, **headers)
            return
        first, _, last = ranged.partition("-")
        start, stop = int(first), min(int(last) + 1 if last else len(content), len(content))
        if start >= len(content):
            self.say(416)
            return
        part = f"bytes {start}-{stop - 1}/{len(content)}"
        self.say(206, content[start:stop], **headers, Content_Range=part)


def _sibling(name: str, content: bytes) -> dict[str, object]:
    made: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": oid(content)}
    if name.endswith(LARGE):
        made["lfs"] = {"size": len(content), "sha256": sha256(content), "pointerSize": 130}
    return made


class Server(ThreadingHTTPServer):
    """Takes a client that leaves in the middle for what it is."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on


@contextmanager
def serving() -> Iterator[HubDouble]:
    """Run the hub and its store, each on a port of its own."""
    hub = HubDouble()
    with ExitStack() as stack:
        addresses = []
        for of_store in (False, True):
            talk = type("OneTalk", (Talk,), {"hub": hub, "of_store": of_store})
            server = Server(("127.0.0.1", 0), talk)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            addresses.append(f"http://127.0.0.1:{server.server_address[1]}")
        hub.address, hub.store = addresses
        yield hub


def status(code: int, **headers: str) -> Fault:
    return lambda talk, _: talk.say(code, b"", **headers)


def page(talk: Talk, _: bytes) -> None:
    """A captive portal's answer."""
    talk.say(200, b"<!DOCTYPE html><title>Wi-Fi</title>", Content_Type="text/html")


def instead(content: bytes) -> Fault:
    return lambda talk, _: talk.say(200, content)


def cut(after: int) -> Fault:
    """Promises what was asked for, sends ``after`` bytes of it, and hangs up."""

    def fault(talk: Talk, due: bytes) -> None:
        start = int(talk.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        talk.send_response(206 if start else 200)
        talk.send_header("Content-Length", str(len(due) - start))
        if start:
            talk.send_header("Content-Range", f"bytes {start}-{len(due) - 1}/{len(due)}")
        talk.end_headers()
        talk.wfile.write(due[start : start + after])
        talk.wfile.flush()
        talk.close_connection = True

    return fault


def held(after: int, reached: threading.Event, release: threading.Event) -> Fault:
    """Sends ``after`` bytes, says so, then waits to be let go, and hangs up."""

    def fault(talk: Talk, due: bytes) -> None:
        talk.send_response(200)
        talk.send_header("Content-Length", str(len(due)))
        talk.end_headers()
        talk.wfile.write(due[:after])
        talk.wfile.flush()
        reached.set()
        release.wait(30)
        talk.close_connection = True

    return fault


def safetensors(*names: str, octets: int = 64) -> bytes:
    """A file of 32-bit tensors, each of ``octets`` bytes that are those of its name."""
    header = {
        name: {
            "dtype": "F32",
            "shape": [octets // 4],
            "data_offsets": [place * octets, (place + 1) * octets],
        }
        for place, name in enumerate(names)
    }
    told = json.dumps(header).encode()
    values = (hashlib.shake_128(name.encode()).digest(octets) for name in names)
    return struct.pack("<Q", len(told)) + told + b"".join(values)


def gguf(*, weights: int = 8192, word: str = "RSA") -> bytes:
    """The smallest model in GGUF: what it is called, its window, one tensor."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    about = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.name") + struct.pack("<I", 8) + text(word),
        text("llama.context_length") + struct.pack("<II", 4, 2048),
    ]
    tensor = text("output.weight") + struct.pack("<IQQIQ", 2, 32, 32, 0, 4096)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(about))
    return head + b"".join(about) + tensor + hashlib.shake_128(word.encode()).digest(weights)
