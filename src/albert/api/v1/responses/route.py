"""POST responses: a chat, asked and told otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import orjson

from albert.api.v1.request import ModelRequest
from albert.api.v1.responses.asked import repeated, to_chat
from albert.api.v1.responses.told import ResponseStream
from albert.asgi import fields as read
from albert.asgi.exchange import JSON, Header, Reply
from albert.asgi.problems import Problem
from albert.wire.sse import comment

_LENGTH = b"content-length"


class Responses:
    def __init__(
        self,
        chat: Callable[[ModelRequest, Reply], Awaitable[None]],
        default_model: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self._chat = chat
        self._default_model = default_model
        self._clock = clock

    async def __call__(self, request: ModelRequest, reply: Reply) -> None:
        fields = read.json_object(request.body)
        model = read.text(fields, "model") or self._default_model()
        body = orjson.dumps(to_chat(fields))
        told = ResponseStream(repeated(fields), model, clock=self._clock)
        await self._chat(replace(request, body=body), ResponsesReply(reply, told))

    async def one(self, name: str, _request: ModelRequest, _reply: Reply) -> None:
        """Refuse to read, cancel or delete a response.

        Raises:
            Problem: 404, always.
        """
        raise Problem(
            404,
            f"La réponse {name!r} n'existe pas : aucune n'est gardée sous /v1. "
            "Les conversations gardées sont sous /api/v2/chat.",
            code="response_not_found",
            param="response_id",
        )


class ResponsesReply(Reply):
    """Hears a chat completion, in whatever way it comes, and tells ``outer`` a response."""

    def __init__(self, outer: Reply, told: ResponseStream) -> None:
        super().__init__(outer._send)
        self._outer = outer
        self._told = told
        self._headers: list[Header] = []
        self._body: list[bytes] = []
        outer.broken = told.failure

    async def start(self, status: int, headers: Iterable[Header], *, events: bool = False) -> None:
        self.started, self._events = True, events
        self.status = status
        self._headers = [header for header in headers if header[0] != _LENGTH]
        if events:
            await self._outer.start(status, self._headers, events=True)
            await self._outer.write(b"".join(self._told.opening()))

    async def write(self, data: bytes) -> None:
        if not self._events:
            self._body.append(data)
        elif frames := self._told.feed(data):
            await self._outer.write(b"".join(frames))
        elif data.startswith(b":"):  # the engine says that it is still there
            await self._outer.write(comment())

    async def end(self, data: bytes = b"") -> None:
        self.complete = True
        if self._events:
            await self._outer.end(b"".join((*self._told.feed(data), *self._told.close())))
            return
        body = b"".join((*self._body, data))
        payload = self._told.whole(body) if self.status == 200 else body
        kept = [header for header in self._headers if header[0] != JSON[0]]
        await self._outer.json(payload, self.status, kept)

    async def json(self, payload: bytes, status: int = 200, headers: Iterable[Header] = ()) -> None:
        await self.start(status, headers)
        await self.end(payload)

    async def fail(self, problem: Problem) -> None:
        await self._outer.fail(problem)
