"""One service, one token, one pool of connections: how requests go and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar
from urllib.parse import quote
from weakref import WeakSet

import aiohttp
import orjson
from yarl import URL

from albert.client.errors import CLOSED, ClientError, ServiceUnreachable, kind_of
from albert.client.forms import read

T = TypeVar("T")
Query = Mapping[str, str | int]

_POOLED = 3.0
"""Seconds that an idle connection is kept: less than the 5 that servers commonly do."""
_API = "/api/v2"


class Connection:
    """Bears the token on every request, follows no redirection, keeps no cookie."""

    def __init__(self, base_url: str, token: str | None, *, timeout: float, silence: float) -> None:
        address = URL(base_url.rstrip("/"))
        if address.scheme not in ("http", "https") or not address.host:
            raise ValueError("base_url begins with http:// or https://, and names a host")
        if address.user or address.password or address.query_string or address.fragment:
            raise ValueError("base_url has no user, password, query nor fragment")
        self.address = str(address)
        self._token: str | None = None
        self.bear(token)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._reading = aiohttp.ClientTimeout(total=None, connect=timeout, sock_read=silence)
        self._session: aiohttp.ClientSession | None = None
        self._sources: WeakSet[EventSource] = WeakSet()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Connection {self.address}>"

    def bear(self, token: str | None) -> None:
        """Use ``token`` from the next request on.

        Raises:
            ValueError: it cannot stand in a header; the error does not repeat it.
        """
        token = token.strip() if token else None
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            raise ValueError("a token is printable ASCII, in one word")
        self._token = token or None

    async def read(
        self,
        kind: type[T],
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
    ) -> T:
        """Return what the service answers, as a ``kind``.

        Raises:
            ApiError, ReplyInvalid, ServiceUnreachable
        """
        return read(kind, await self.ask(method, path, body, query=query))

    async def ask(
        self, method: str, path: str, body: object = None, *, query: Query | None = None
    ) -> bytes:
        """Return the bytes of the answer.

        Raises:
            ApiError, ServiceUnreachable
        """
        sent = self._request(method, path, body, query=query, timeout=self._timeout)
        reply: tuple[aiohttp.ClientResponse, bytes] | None = None
        why = ""
        try:
            async with sent as response:
                reply = response, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            why = type(error).__name__
        if reply is None:  # outside the block: aiohttp's own error may repeat the headers
            raise self._unreachable(why)
        _check(*reply)
        return reply[1]

    async def events(self, path: str, last_event_id: str) -> EventSource:
        """Open a stream of events, after the one that ``last_event_id`` names.

        Raises:
            ApiError, ServiceUnreachable
        """
        headers = {"accept": "text/event-stream"}
        if last_event_id:
            headers["last-event-id"] = last_event_id
        reply: tuple[aiohttp.ClientResponse, bytes] | None = None
        why = ""
        try:
            response = await self._request("GET", path, headers=headers, timeout=self._reading)
            reply = response, b"" if response.status == 200 else await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            why = type(error).__name__
        if reply is None:
            raise self._unreachable(why)
        _check(*reply)
        source = EventSource(reply[0], self._unreachable)
        self._sources.add(source)
        return source

    async def close(self) -> None:
        """Close the connections; nothing can be asked any more."""
        self._closed = True
        for source in tuple(self._sources):
            source.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout: aiohttp.ClientTimeout,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> aiohttp.client._RequestContextManager:
        sent = {"accept": "application/json", **(headers or {})}
        if self._token is not None:
            sent["authorization"] = f"Bearer {self._token}"
        if body is not None:
            sent["content-type"] = "application/json"
        return self._open().request(
            method,
            URL(self.address + _API + path, encoded=True),
            data=None if body is None else orjson.dumps(body),
            params=query,
            headers=sent,
            timeout=timeout,
            allow_redirects=False,
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ClientError(CLOSED)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=_POOLED),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def _unreachable(self, why: str) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"Le service de {self.address} ne répond pas ({why}) : "
            "vérifiez son adresse, et qu'il tourne."
        )


class EventSource:
    """The bytes of a stream of events, as they come."""

    def __init__(
        self, response: aiohttp.ClientResponse, unreachable: Callable[[str], ServiceUnreachable]
    ) -> None:
        self._response = response
        self._unreachable = unreachable

    @property
    def nothing_left(self) -> bool:
        """Whether the service says that its reader has heard everything."""
        return self._response.status == 204

    async def read(self) -> bytes:
        """Return the next bytes, at least one.

        Raises:
            ServiceUnreachable: the connection is lost, silent for too long, or ended.
        """
        failure = "fin"
        try:
            if said := await self._response.content.readany():
                return said
        except (aiohttp.ClientError, TimeoutError) as error:
            failure = type(error).__name__
        raise self._unreachable(failure)

    def close(self) -> None:
        self._response.close()


def segment(name: str) -> str:
    """Return ``name`` as one segment of a path, whatever it holds."""
    quoted = quote(name, safe="")
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def given(**values: object) -> dict[str, object]:
    """Return the values that are not ``None``."""
    return {name: value for name, value in values.items() if value is not None}


def _check(response: aiohttp.ClientResponse, body: bytes) -> None:
    if 200 <= response.status < 300:
        return
    code, message = _told(body)
    wait = response.headers.get("retry-after", "")
    raise kind_of(response.status)(
        response.status,
        code,
        message or f"Le service a répondu {response.status} : vérifiez l'adresse et la demande.",
        response.headers.get("x-request-id", ""),
        float(wait) if wait.isdecimal() else 0,
    )


def _told(body: bytes) -> tuple[str | None, str]:
    """Return the code and the message of a refusal, from whatever form it has."""
    with suppress(orjson.JSONDecodeError):
        match orjson.loads(body):
            case {"detail": str(message), **rest}:
                code = rest.get("code")
                return (code if isinstance(code, str) else None), message
            case {"detail": list(problems)}:
                return "validation", " ; ".join(map(_problem, problems))
    return None, ""


def _problem(problem: object) -> str:
    match problem:
        case {"loc": [*place], "msg": str(message)}:
            return f"{_place(place)} : {message}"
    return "champ refusé"  # in an unknown form: it might repeat what was sent


def _place(place: Sequence[object]) -> str:
    return ".".join(str(step) for step in place if step != "body") or "corps"
