"""What an answer writes in one turn of the loop leaves in one write."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST = 1 << 16
"""Bytes kept back at most: beyond, a reader who is slow must be felt at once."""


class GatheringProtocol(HttpToolsProtocol):
    """uvicorn's, which writes headers, body and each event by themselves: a system call each."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", Gathering(transport, self.loop)))


class Gathering:
    """A transport whose writes wait for the end of the loop's turn; all else is the real one's."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._kept:
            self._loop.call_soon(self._flush)
        self._kept.append(data)
        self._size += len(data)
        if self._size > _MOST:
            self._flush()

    def _flush(self) -> None:
        if self._kept and not self._transport.is_closing():  # the reader may have left meanwhile
            self._transport.write(b"".join(self._kept))
        self._kept.clear()
        self._size = 0

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 — whatever the real one has
        return getattr(self._transport, name)
