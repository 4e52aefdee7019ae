"""The load: connections kept open, HTTP/1.1 by hand, so that it costs less than what it loads.

Closed loop: each client asks again as soon as it is answered. Open loop: arrivals are fixed in
advance, and an answer's time counts from when it should have been asked, so that a slow server
cannot slow its own questions down.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

END = b"0\r\n\r\n"
EVENT = b"data: "


@dataclass(frozen=True)
class Target:
    """Where to ask, and the whole request, headers included."""

    host: str
    port: int
    request: bytes


def target(address: str, body: bytes, *, key: str = "") -> Target:
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port is not None
    known = f"authorization: Bearer {key}\r\n" if key else ""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\n{known}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return Target(parts.hostname, parts.port, head.encode() + body)


@dataclass
class Tally:
    """What was answered: ``times`` in seconds, where they are wanted."""

    answers: int = 0
    events: int = 0
    pieces: int = 0
    """Writes that events came in: chunks of HTTP."""
    refused: list[bytes] = field(default_factory=list)
    """Beginnings of answers that were no 200, or no answer at all."""
    times: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    """Seconds to the first byte."""


class Client(asyncio.Protocol):
    """One connection: asks, reads the answer to its end, tells ``answered``."""

    def __init__(self, request: bytes, tally: Tally, answered: Callable[[Client], None]) -> None:
        self._request = request
        self._tally = tally
        self._answered = answered
        self._since = 0.0
        self.waiting = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def ask(self, since: float) -> None:
        """Ask; its time counts from ``since``, on the clock of ``time.perf_counter``."""
        self._since = since
        self.waiting = True
        self._heard = b""
        self._chunked = False
        self._left = -1
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._left >= 0:
            self._count(data)
            return
        heard = self._heard + data
        end = heard.find(b"\r\n\r\n")
        if end < 0:
            self._heard = heard
            return
        if not heard.startswith(b"HTTP/1.1 200"):
            self._tally.refused.append(heard[:200])
        self._tally.first.append(time.perf_counter() - self._since)
        self._heard = b""
        size = heard.find(b"ength: ", 0, end)  # of content-length, in either case
        self._chunked = size < 0
        self._left = 1 if self._chunked else int(heard[size + 7 : heard.find(b"\r", size)])
        self._count(heard[end + 4 :])

    def _count(self, data: bytes) -> None:
        if not self._chunked:
            self._left -= len(data)
            if self._left <= 0:
                self._done()
            return
        data = self._heard + data
        self._tally.events += data.count(EVENT)
        self._tally.pieces += data.count(b"\r\ndata: ")
        if data.endswith(END):
            self._done()
        else:
            self._heard = data[-5:]  # shorter than any mark, so that none counts twice

    def _done(self) -> None:
        self._tally.answers += 1
        self._tally.times.append(time.perf_counter() - self._since)
        self.waiting = False
        self._answered(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self.waiting:
            self.waiting = False
            self._tally.refused.append(f"connection lost: {error!r}".encode())
            self._answered(self)


async def connect(
    where: Target, tally: Tally, count: int, answered: Callable[[Client], None]
) -> list[Client]:
    loop = asyncio.get_running_loop()
    return [
        (
            await loop.create_connection(
                lambda: Client(where.request, tally, answered), where.host, where.port
            )
        )[1]
        for _ in range(count)
    ]


async def closed(where: Target, clients: int, seconds: float) -> tuple[Tally, float]:
    """Return what was answered, and in how many seconds."""
    tally, stop = Tally(), 0.0
    idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asking = clients

    def again(client: Client) -> None:
        nonlocal asking
        now = time.perf_counter()
        if now < stop and not client.transport.is_closing():
            client.ask(now)
            return
        asking -= 1
        if not asking and not idle.done():
            idle.set_result(None)

    connected = await connect(where, tally, clients, again)
    start = time.perf_counter()
    stop = start + seconds
    for client in connected:
        client.ask(start)
    await idle
    took = time.perf_counter() - start
    for client in connected:
        client.transport.close()
    return tally, took


class Arrivals:
    """Clients that ask at moments fixed in advance; ``idle`` is done once all were answered."""

    def __init__(self, rate: float, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._rate = rate
        self._count = self._left = count
        self._free: deque[Client] = deque()
        self._late: deque[float] = deque()
        self._start = 0.0
        self._clock = time.perf_counter() - self._loop.time()
        self.idle: asyncio.Future[None] = self._loop.create_future()

    def begin(self, clients: list[Client]) -> None:
        self._free.extend(clients)
        self._start = self._loop.time() + 0.05
        self._arrive(0)

    def answered(self, client: Client) -> None:
        self._left -= 1
        if self._late and not client.transport.is_closing():
            client.ask(self._late.popleft())
        else:
            self._free.append(client)
        if not self._left:
            self.idle.set_result(None)

    def _arrive(self, number: int) -> None:
        while number < self._count:
            due = self._start + number / self._rate
            if due > self._loop.time():
                self._loop.call_at(due, self._arrive, number)
                return
            if self._free:
                self._free.pop().ask(due + self._clock)
            else:
                self._late.append(due + self._clock)
            number += 1


async def paced(where: Target, rate: float, seconds: float, *, connections: int = 64) -> Tally:
    """Ask ``rate`` times a second, at moments fixed in advance.

    Run it on a loop whose timers are finer than what is measured: ``latency.fine_loop``.
    """
    tally, arrivals = Tally(), Arrivals(rate, int(rate * seconds))
    clients = await connect(where, tally, connections, arrivals.answered)
    arrivals.begin(clients)
    await arrivals.idle
    for client in clients:
        client.transport.close()
    return tally
