"""An application behind a real uvicorn, on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvloop

from albert.asgi.run import Application, serve

PATIENCE = 10.0


@asynccontextmanager
async def serving(app: Application) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Serve ``app`` in this loop; give its address, and the event that stops it."""
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, ready.set_result, stop=stop))
    try:
        yield await asyncio.wait_for(ready, PATIENCE), stop
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


@contextmanager
def served(app: Application) -> Iterator[str]:
    """Serve ``app`` in a thread, for clients that block."""
    addresses: list[str] = []
    up, leave = threading.Event(), threading.Event()

    async def main() -> None:
        async with serving(app) as (address, _):
            addresses.append(address)
            up.set()
            await asyncio.to_thread(leave.wait)

    thread = threading.Thread(target=lambda: uvloop.run(main()))
    thread.start()
    try:
        assert up.wait(PATIENCE)
        yield addresses[0]
    finally:
        leave.set()
        thread.join(PATIENCE)
