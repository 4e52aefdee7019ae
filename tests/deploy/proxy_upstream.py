"""What stands behind a proxy in tests: an engine whose stream goes on when the test says so.

``python proxy_upstream.py NAME PORT CONTROL``: it serves 127.0.0.1:PORT, and takes orders on
CONTROL of any address. It shows what a proxy lets through, which no real engine would.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web


class Upstream:
    def __init__(self, name: str) -> None:
        self._name = name
        self._steps = asyncio.Semaphore(0)
        self._left = asyncio.Event()
        self.calls = 0

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send an event at once, and one more for each step; the end comes after the third."""
        await request.read()
        self.calls += 1
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            for number in range(3):
                await response.write(_event(f"{self._name} {number}"))
                await self._steps.acquire()
            await response.write(b"data: [DONE]\n\n")
        except (asyncio.CancelledError, ConnectionError):
            self._left.set()
            raise
        return response

    async def break_off(self, request: web.Request) -> web.Response:
        """Read the request and hang up, as a process does that dies."""
        await request.read()
        self.calls += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def mirror(self, request: web.Request) -> web.Response:
        """Tell how the request came."""
        body = await request.read()
        self.calls += 1
        said = {
            "by": self._name,
            "path": request.raw_path,
            "headers": {name.lower(): request.headers.getall(name) for name in request.headers},
            "size": len(body),
        }
        return web.json_response(said)

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(headers={"content-security-policy": "style-src 'self'"})

    async def moved(self, request: web.Request) -> web.Response:
        """Lead to another address of the same site, as it is known here."""
        return web.Response(
            status=307, headers={"location": f"http://{request.host}/api/v2/sign_in"}
        )

    async def step(self, _request: web.Request) -> web.Response:
        self._steps.release()
        return web.Response()

    async def left(self, _request: web.Request) -> web.Response:
        """Answer once a reader has left in the middle of its stream."""
        await self._left.wait()
        return web.Response()

    async def count(self, _request: web.Request) -> web.Response:
        return web.json_response(self.calls)


def _event(text: str) -> bytes:
    choice = b'{"index":0,"delta":{"content":"%s"},"finish_reason":null}' % text.encode()
    return b'data: {"choices":[' + choice + b"]}\n\n"


async def main() -> None:
    name, port, control = sys.argv[1:]
    one = Upstream(name)
    served = web.Application(client_max_size=1 << 24)
    served.router.add_get("/v1/models", one.models)
    served.router.add_post("/v1/chat/completions", one.stream)
    served.router.add_post("/api/v2/break_off", one.break_off)
    served.router.add_get("/page", one.page)
    served.router.add_get("/moved", one.moved)
    served.router.add_route("*", "/{path:.*}", one.mirror)
    orders = web.Application()
    orders.router.add_post("/step", one.step)
    orders.router.add_get("/left", one.left)
    orders.router.add_get("/count", one.count)
    for app, host, number in ((served, "127.0.0.1", port), (orders, "0.0.0.0", control)):  # noqa: S104 — a network of the test's own
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, host, int(number)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
