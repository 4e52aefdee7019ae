"""A model that costs nothing: HTTP/1.1 by hand, an answer or events at once.

    python -m gateway.backend

Its address is its first line of output. ``max_tokens`` is how many events a stream has,
each written by itself: a write a token, as engines do.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket

import uvloop

from gateway.payload import COMPLETION, WORDS, event, usage

_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(COMPLETION),
    COMPLETION,
)
_OPENING = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_EVENTS = [chunk(event({"content": word})) for word in WORDS]
_LAST = chunk(event({}, finish="stop"))
_DONE = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Backend(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._heard = b""
        self._paused = False
        self._events = iter(())

    def data_received(self, data: bytes) -> None:
        heard = self._heard + data if self._heard else data
        while (end := heard.find(b"\r\n\r\n")) >= 0:
            length = heard.find(b"ength: ", 0, end)  # of content-length, in either case
            size = int(heard[length + 7 : heard.find(b"\r", length)]) if length >= 0 else 0
            whole = end + 4 + size
            if len(heard) < whole:
                break
            self._answer(heard[end + 4 : whole])
            heard = heard[whole:]
        self._heard = heard

    def _answer(self, body: bytes) -> None:
        if b'"stream":' not in body or not (asked := json.loads(body)).get("stream"):
            self._transport.write(_WHOLE)
            return
        count = asked["max_tokens"]
        events = itertools.islice(itertools.cycle(_EVENTS), count)
        counted = (asked.get("stream_options") or {}).get("include_usage")
        ends = [_LAST, *([chunk(usage(count))] if counted else []), _DONE]
        self._transport.write(_OPENING)
        self._events = itertools.chain(events, ends)
        self._loop.call_soon(self._next)

    def _next(self) -> None:
        if self._paused or self._transport.is_closing():
            return
        said = next(self._events, None)
        if said is not None:
            self._transport.write(said)
            self._loop.call_soon(self._next)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._loop.call_soon(self._next)


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    server = await asyncio.get_running_loop().create_server(Backend, sock=listener)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
