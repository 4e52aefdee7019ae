"""A proxy with no feature: raw ASGI and one aiohttp session. What is left is the road itself.

python -m gateway.bare BACKEND
"""

from __future__ import annotations

import sys

import aiohttp
from starlette.types import Receive, Scope, Send

from gateway.served import serve


class Bare:
    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        assert self._session is not None
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        address = self._backend + scope["path"]
        headers = {"content-type": "application/json"}
        async with self._session.post(address, data=body, headers=headers) as answer:
            kept = [(k, v) for k, v in answer.raw_headers if k.lower() != b"transfer-encoding"]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for data in answer.content.iter_any():
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    serve(Bare(sys.argv[1]))
