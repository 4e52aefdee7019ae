"""Work that an answer does not wait for, but that the service does not forget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from albert.domain.errors import AlbertError

_log = logging.getLogger(__name__)

_MOST = 200
"""Pieces of work at once: beyond, whoever floods us is not served."""
_CLOSE_SECONDS = 5.0


class Background:
    """The pieces of work under way; one for each worker."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None]) -> bool:
        """Begin a piece of work, and say whether there was room for it; its failure is logged."""
        if len(self._tasks) >= _MOST:
            work.close()
            _log.warning("too much work in the background", extra={"action": "background_full"})
            return False
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return True

    async def wait(self) -> None:
        """Return when all that was begun is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Give what is under way ``seconds`` to end, then cancel it."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
        await self.wait()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, AlbertError):  # its message is for users: it quotes nobody
            _log.warning("%s", error, extra={"action": "background_failed"})
        elif error is not None:
            _log.error("background work broke", exc_info=error)
