"""Answers being written: each ends when its reader leaves, all end when the service stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from starlette.types import Receive

_GRACE = 0.05
"""Seconds of an answer before its reader is watched."""


class InFlight:
    """The answers that a worker is writing."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self.draining = False
        """The service is about to stop: it is no longer ready for new readers."""
        self.stopping = False
        """The time given to open streams is over."""
        self._end: asyncio.TimerHandle | None = None

    @property
    def tasks(self) -> set[asyncio.Task[object]]:
        return set(self._tasks)

    async def run(self, work: Coroutine[object, object, None], receive: Receive) -> None:
        """Run ``work`` while the reader stays; cancel it soon after the connection closes.

        It runs in the caller's own task, and the connection is watched from
        ``_GRACE`` on only: most answers are shorter, and a task costs more than a timer.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 — for mypy: we are in a coroutine
        watching = _Watching(task, receive)
        self._tasks.add(task)
        try:
            await work
        except asyncio.CancelledError:
            if not (watching.left or self.stopping):
                raise
            task.uncancel()
        finally:
            self._tasks.discard(task)
            watching.stop()

    def drain(self, seconds: float) -> None:
        """Take nothing more; what is being written has so many seconds to end."""
        self.draining = True
        self._end = asyncio.get_running_loop().call_later(seconds, self.stop)

    async def idle(self) -> None:
        """Return once nothing is being written any more."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        if self._end is not None:
            self._end.cancel()

    def stop(self) -> None:
        """End every open answer; each tells its reader why."""
        self.stopping = True
        for task in self._tasks:
            task.cancel()


class _Watching:
    """Cancels a task when its reader leaves, if it lasts long enough for that to matter."""

    def __init__(self, task: asyncio.Task[object], receive: Receive) -> None:
        self.left = False
        self._task = task
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_GRACE, self._start)

    def stop(self) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()

    def _start(self) -> None:
        self._watch = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        await _departure(self._receive)
        self.left = True
        self._task.cancel()


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
