"""A publisher's host on 127.0.0.1, whose answers a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Host:
    """Answers each request with the next of ``answers``; the last one stays."""

    answers: list[Answer]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.headers)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[Host]:
    host = Host(list(answers))
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", host.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    host.address = f"http://127.0.0.1:{port}"
    try:
        yield host
    finally:
        await runner.cleanup()


def whole(content: bytes, *, etag: str = '"v1"') -> Answer:
    """The file, or the range asked for if it is still of that version, or 304."""

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = {"ETag": etag, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        start = request.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        if start and request.headers.get("If-Range") == etag:
            first = int(start)
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            return web.Response(status=206, body=content[first:], headers=headers)
        return web.Response(body=content, headers=headers)

    return answer


def cut(content: bytes, *, after: int, etag: str = '"v1"') -> Answer:
    """Promises the whole file, sends ``after`` bytes of it, and breaks off."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": etag, "Content-Length": str(len(content))})
        await response.prepare(request)
        await response.write(content[:after])
        await asyncio.sleep(0.05)
        if request.transport is not None:
            request.transport.close()
        return response

    return answer


def status(code: int, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=headers)

    return answer


async def silent(_: web.Request) -> web.StreamResponse:
    """Takes the request and says nothing for a long time."""
    await asyncio.sleep(5)
    return web.Response()
