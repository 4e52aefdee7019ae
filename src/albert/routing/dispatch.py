"""A worker's one HTTP client towards engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aiohttp
import orjson
from yarl import URL

from albert.domain.errors import ModelUnreachable
from albert.routing.fleet import Fleet
from albert.routing.replica import LiveReplica
from albert.routing.route import Route
from albert.routing.sending import Sending
from albert.routing.watch import Watch

_BUFFER = 1 << 18
_KEEP_ALIVE = 4.0
"""Seconds for which an idle connection is kept: uvicorn, under vLLM, closes them after five."""
_PROBE_SECONDS = 2.0
_PROBE_LIMIT = 1 << 20
_MOST_MADE = 1000


class Dispatcher:
    """Sends requests to the addresses of the routing table, and nowhere else.

    It follows no redirect, and no proxy of the environment.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._session: aiohttp.ClientSession | None = None
        self._live: set[Sending] = set()
        self._made: dict[tuple[str, str, str], tuple[URL, dict[str, str]]] = {}
        self._watch = Watch(self._live, lambda: fleet, self.probe)

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_BUFFER,
        )
        self._watch.start()

    async def close(self) -> None:
        await self._watch.stop()
        if self._session is not None:
            await self._session.close()

    def send(
        self,
        route: Route,
        operation: str,
        body: bytes,
        *,
        stream: bool = False,
        headers: Mapping[str, str] | None = None,
        affinity: str = "",
        without: Sequence[LiveReplica] = (),
    ) -> Sending:
        """``async with dispatcher.send(…) as answer``; ``operation`` is the path below ``/v1/``.

        Requests of one ``affinity`` go to one replica where that is reasonable; ``without``
        are those that failed it before.

        Entering raises:
            ModelDown: no replica is up.
            ModelOverloaded: all are full, and so is the queue, or the wait was too long.
            ModelTooSlow: the times of the table are over.
            ModelUnreachable: the last replica that was asked did not answer as it must.
        """
        return Sending(
            route,
            self._post,
            self._live,
            operation=operation,
            body=body,
            stream=stream,
            headers=headers or {},
            affinity=affinity,
            without=without,
        )

    async def _post(
        self,
        route: Route,
        replica: LiveReplica,
        operation: str,
        body: bytes,
        more: Mapping[str, str],
    ) -> aiohttp.ClientResponse:
        address, headers = self._to(replica, operation)
        if more:
            headers = {**headers, **more}
        return await self._opened().post(
            address,
            data=aiohttp.BytesPayload(body),
            headers=headers,
            allow_redirects=False,
            timeout=route.timeout,
        )

    def _to(self, replica: LiveReplica, operation: str) -> tuple[URL, dict[str, str]]:
        """Return where a replica does an operation, and how it is spoken to; made once."""
        endpoint = replica.endpoint
        wanted = (endpoint.base_url, endpoint.key, operation)
        if (made := self._made.get(wanted)) is None:
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            headers = {"content-type": "application/json", "accept-encoding": "identity"}
            if endpoint.key:
                headers["authorization"] = f"Bearer {endpoint.key}"
            made = self._made[wanted] = URL(f"{endpoint.base_url}/{operation}"), headers
        return made

    async def prompt_config(self, route: Route) -> bytes:
        """Return what a model's service says of its prompts; nothing where it does not."""
        for replica in route.replicas:
            endpoint = replica.endpoint
            if endpoint.ready:
                address = f"{endpoint.base_url.removesuffix('/v1')}/get_prompt_config"
                if body := await self._read(address, endpoint.key):
                    return body
        return b""

    async def probe(self, replica: LiveReplica) -> bool:
        """Whether a replica answers at all: a list of models, or a refusal of its own."""
        return (
            await self._read(f"{replica.endpoint.base_url}/models", replica.endpoint.key)
            is not None
        )

    async def _read(self, address: str, key: str) -> bytes | None:
        """Return a JSON text; empty where it is refused, ``None`` where nobody answers well."""
        try:
            async with self._opened().get(
                address,
                headers={"authorization": f"Bearer {key}"} if key else {},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_PROBE_SECONDS),
            ) as response:
                if response.status != 200:
                    return b"" if 400 <= response.status < 500 else None
                body = await response.content.read(_PROBE_LIMIT)
                orjson.loads(body)
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError):
            return None
        return body

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ModelUnreachable("Le service n'est pas encore ouvert : réessayez.")
        return self._session
