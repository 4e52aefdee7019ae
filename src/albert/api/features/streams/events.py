"""An answer's events on the wire: OpenAI's chunks, numbered so that a reader can resume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from albert.api.features.streams.generation import Ended, Event, Said, Silence
from albert.asgi.exchange import STREAM_HEADERS, WRITTEN_BY
from albert.asgi.in_flight import while_read
from albert.wire.openai import Completion, error_body, usage
from albert.wire.sse import DONE, comment

AT_END = "end"
"""Id of the last event: who has heard it has heard everything."""


class EventStream(Response):
    """Tells an answer as it comes; ``begin`` was already taken from ``events``.

    Each event bears as its id where it ends in the answer, in characters.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        begin: Sequence[Event],
        events: AsyncGenerator[Sequence[Event], None],
        completion: Completion,
        *,
        resumed: bool,
    ) -> None:
        super().__init__()
        self._begin = begin
        self._events = events
        self._completion = completion
        self._resumed = resumed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await while_read(asyncio.create_task(self._tell(send)), receive)
        finally:
            await self._events.aclose()

    async def _tell(self, send: Send) -> None:
        headers = [*STREAM_HEADERS, WRITTEN_BY]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if not self._resumed:
            await _write(send, self._completion.opening())
        await self._write_all(send, self._begin)
        if not isinstance(self._begin[-1], Ended):
            async for together in self._events:
                await self._write_all(send, together)
        await send({"type": "http.response.body", "body": DONE, "more_body": False})

    async def _write_all(self, send: Send, together: Sequence[Event]) -> None:
        """Write at once what came at once: each call costs a visit to the kernel."""
        await _write(send, b"".join(map(self._bytes, together)))

    def _bytes(self, event: Event) -> bytes:
        match event:
            case Said(text, end):
                return b"id: %d\n" % end + self._completion.piece(text)
            case Silence():
                return comment()
            case Ended():
                return f"id: {AT_END}\n".encode() + self._last(event)

    def _last(self, ended: Ended) -> bytes:
        extra = {"state": ended.state, **_without_error(ended.finish)}
        error = ended.finish.get("error")
        if ended.state == "failed" and error is not None:
            failure = error_body(error["message"], type_=error["type"], code=error["code"])
            return self._completion.failure(failure, extra)
        return self._completion.finish(extra)


def _without_error(finish: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in finish.items() if name not in ("error", "status")}


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


def spent(prompt: int | None, completion: int | None) -> Mapping[str, Any]:
    """Return the usage of an answer, in OpenAI's form."""
    return {"usage": usage(prompt or 0, completion or 0)}
