"""The whole API as one ASGI application: the hot path as it is, FastAPI for the rest."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import orjson
from starlette.types import Message, Receive, Scope, Send

from albert import __version__
from albert.api.features.privacy.purging import Purging
from albert.api.features.streams.hub import Hub
from albert.api.features.usage.telling import UsageReport
from albert.api.metrics.page import PATH as METRICS
from albert.api.services import Services
from albert.api.v1.routes import OpenAIRoutes, is_ours
from albert.api.web import build_web
from albert.asgi.exchange import (
    Header,
    ReaderLeft,
    Reply,
    path_of,
    read_body,
    replay,
    request_id_of,
)
from albert.asgi.in_flight import InFlight
from albert.asgi.problems import Problem
from albert.domain.errors import AlbertError

_DATE_LIFE = 30.0
"""Seconds for which the newest date is believed: a corpus changes once a day."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def create_app(services: Services, *, clock: Callable[[], float] = time.time) -> Application:
    """Compose the API; nothing is opened before ``Application.open`` or the ASGI lifespan."""
    return Application(services, clock)


class Application:
    """An ASGI application that is opened and closed once, by its lifespan or by hand."""

    def __init__(self, services: Services, clock: Callable[[], float]) -> None:
        self.in_flight = InFlight()
        self._services = services
        self._clock = clock
        self._v1 = OpenAIRoutes(
            services, self.in_flight, clock, usage=UsageReport(services.database)
        )
        self.hub = Hub(
            services.database,
            services.embedder.token_count,
            patience=services.policy.resume_seconds,
        )
        self.web = build_web(services, self.in_flight, self.hub, version=__version__)
        self._purging = Purging(services.database, services.policy.retention_days)
        self._end: asyncio.TimerHandle | None = None
        self._dated: tuple[float, bytes] = (float("-inf"), b"")

    async def open(self) -> None:
        await self._services.open()
        await self.hub.open()
        self._purging.start()

    async def close(self) -> None:
        await self.hub.close(seconds=self._left())
        await self._purging.stop()
        await self._services.background.close()
        await self._services.close()

    def drain(self) -> None:
        """Stop taking work: running answers have the policy's seconds to end."""
        self.in_flight.draining = True
        self.hub.refuse()
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(self._services.policy.drain_seconds, self.interrupt)

    def interrupt(self) -> None:
        """End every answer now; each tells its reader why."""
        self.in_flight.stop()
        self.hub.interrupt()

    async def idle(self) -> None:
        """Return once no answer is being written any more."""
        while running := self.in_flight.tasks | self.hub.tasks:
            await asyncio.wait(running)

    def _left(self) -> float:
        """Seconds that answers without a reader still have."""
        if self._end is None:
            return 0
        self._end.cancel()
        return max(0.0, self._end.when() - asyncio.get_running_loop().time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            await self.web(scope, receive, send)
            return
        request_id, path = request_id_of(scope), path_of(scope)
        proxied = is_ours(path)
        stamped = self._stamped(scope, send, request_id, "v1" if proxied else "v2")
        if proxied:
            await self._v1(scope, receive, stamped, request_id)
        elif path == METRICS:
            await self._services.metrics(scope, receive, self._services.auth_log.told(scope, send))
        else:
            await self._rest(scope, receive, stamped)

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
            _refuse_control(path_of(scope))
        except Problem as problem:
            await Reply(send).json(orjson.dumps(problem.detail()), problem.status)
        except ReaderLeft:
            return
        else:
            await self.web(scope, replay(body, receive), send)

    def _stamped(self, scope: Scope, send: Send, request_id: str, part: str) -> Send:
        """Name the request, and the age of what we serve, on every answer; count it."""
        stamps: list[Header] = [(b"x-request-id", request_id.encode())]
        if newest := self._newest():
            stamps.append((b"x-albert-corpus-date", newest))

        async def stamp(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *stamps]
                self._services.metrics.answered(part, message["status"])
                if message["status"] >= 400:
                    self._services.auth_log.answered(scope, message["status"])
            await send(message)

        return stamp

    def _newest(self) -> bytes:
        now = self._clock()
        if now - self._dated[0] > _DATE_LIFE:
            self._dated = now, self._services.status().newest.encode()
        return self._dated[1]

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.open()
        except AlbertError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})


def _refuse_control(path: str) -> None:
    """Refuse a path that Starlette's routes take for another: theirs may end with a line feed,
    which nobody else compares so; the authentication log would not know a sign-in.
    """
    if _CONTROL.search(path):
        message = "L'adresse contient un caractère de contrôle : corrigez-la."
        raise Problem(404, message, code="unknown_url")
