"""One HTTP request and its answer, in ASGI's own words: all that the raw path needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import getrandbits
from uuid import uuid4

import orjson
from starlette.types import Receive, Scope, Send

from albert.asgi.problems import Problem
from albert.wire.openai import Completion
from albert.wire.sse import DONE

BODY_LIMIT = 1 << 20
"""Bytes of a request's body: a megabyte of text is more than any model reads."""

_DRAIN_LIMIT = 16 << 20
"""Bytes read and forgotten past the limit, so that the sender reads our 413 rather than a reset."""

Header = tuple[bytes, bytes]
JSON = (b"content-type", b"application/json")
WRITTEN_BY: Header = (b"x-albert-ai", b"This answer was written by an automated system (AI)")
STREAM_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
)


class ReaderLeft(Exception):
    """The client closed the connection before its request was whole."""


@dataclass(frozen=True, slots=True)
class Request:
    id: str
    body: bytes


def path_of(scope: Scope) -> str:
    """Return the path below ``root_path``, which servers put in front (ASGI 3)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root and path.startswith(root + "/") else path


def header(scope: Scope, name: bytes) -> str:
    """Return the first header of that (lower-case) name, or nothing."""
    headers: Iterable[Header] = scope["headers"]
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """Return the name that the caller gave its request, or a new one."""
    said = header(scope, b"x-request-id")
    if _REQUEST_ID.fullmatch(said):
        return said
    return f"{getrandbits(128):032x}"  # it names and guards nothing: no system call for it


async def read_body(receive: Receive, limit: int = BODY_LIMIT) -> bytes:
    """Return the request's body.

    Raises:
        Problem: 413 beyond ``limit`` bytes.
        ReaderLeft: the connection closed before the end.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= _DRAIN_LIMIT:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ReaderLeft
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        more = message.get("more_body", False)
    if size > limit:
        message_ = f"La demande dépasse {limit} octets : raccourcissez-la."
        raise Problem(413, message_, code="request_too_large")
    return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """Give an application the body that was already read, then what comes after it."""
    pending = [body]

    async def again() -> dict[str, object]:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return dict(await receive())

    return again


def _broken_chat(problem: Problem) -> bytes:
    event = Completion(f"chatcmpl-{uuid4().hex}", 0, "").failure(problem.body())
    return b"\n\n" + event + DONE


class Reply:
    """The answer to one request: JSON at once, or a stream that always says how it ended."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        """As it was told; 0 before."""
        self.broken: Callable[[Problem], bytes] = _broken_chat
        """How a stream tells of an error, its last bytes included: a chat's way, unless said."""
        self.headers: Callable[[], tuple[Header, ...]] = tuple
        """What a refusal says besides, at the moment it is told."""
        self.started = False
        self.complete = False
        self._events = False

    async def start(self, status: int, headers: Iterable[Header], *, events: bool = False) -> None:
        self.started, self.status, self._events = True, status, events
        await self._send(
            {"type": "http.response.start", "status": status, "headers": list(headers)}
        )

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        self.complete = True
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def json(self, payload: bytes, status: int = 200, headers: Iterable[Header] = ()) -> None:
        await self.start(status, (JSON, (b"content-length", str(len(payload)).encode()), *headers))
        await self.end(payload)

    async def fail(self, problem: Problem) -> None:
        """Tell of an error, in whatever way is still open.

        In mid-stream, ``broken`` says: for a chat an error event, then ``[DONE]``, after a
        blank line that ends the event that may have been cut. In the middle of a body of
        known length nothing honest can be said: it stays short, and the server closes.
        """
        if not self.started:
            await self.json(orjson.dumps(problem.body()), problem.status, problem.headers)
        elif self._events:
            await self.end(self.broken(problem))
