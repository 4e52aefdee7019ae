"""Answers being written: each ends when its reader leaves, all end when the service stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from starlette.types import Receive


class InFlight:
    """The answers that a worker is writing."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False
        """The service is about to stop: it is no longer ready for new readers."""
        self.stopping = False
        """The time given to open streams is over."""

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        return set(self._tasks)

    async def run(self, work: Coroutine[object, object, None], receive: Receive) -> None:
        """Run ``work`` while the reader stays; cancel it the moment the connection closes."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        try:
            await while_read(task, receive)
        finally:
            self._tasks.discard(task)

    def stop(self) -> None:
        """End every open answer; each tells its reader why."""
        self.stopping = True
        for task in self._tasks:
            task.cancel()


async def while_read(task: asyncio.Task[None], receive: Receive) -> None:
    """Wait for ``task``; cancel it the moment the connection closes."""
    departure = asyncio.create_task(_departure(receive))
    try:
        await asyncio.wait((task, departure), return_when=asyncio.FIRST_COMPLETED)
    finally:
        departure.cancel()
        task.cancel()
        await asyncio.wait((task, departure))
    if not task.cancelled():
        task.result()


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
