"""The answers of a worker, and those of the others as seen from here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from albert.api.database.engine import Database
from albert.api.features.streams.elsewhere import Elsewhere
from albert.api.features.streams.generation import Event, Generation
from albert.api.features.streams.keeping import CHANNEL, Journal, claim, close_orphans
from albert.api.features.streams.writing import Ask, Desk, Writing
from albert.asgi.problems import stopping
from albert.domain.errors import DatabaseError

_log = logging.getLogger(__name__)

_LOOK = 30.0
"""Seconds between two looks for answers whose worker was killed."""
_LEASE = 15.0
"""Seconds for which a reader elsewhere is believed to be there without saying so again."""


class Hub:
    """Starts, shares, resumes and stops answers; one for each worker.

    ``patience`` is in seconds, for which an answer goes on without a reader.
    """

    def __init__(
        self,
        database: Database,
        count: Callable[[str], int],
        *,
        patience: float,
        beat: float = 10.0,
    ) -> None:
        self._database = database
        self._journal = Journal(database)
        self._desk = Desk(database, self._journal, count)
        self._patience = patience
        self.beat = beat
        """Seconds of silence after which readers are told that they are not forgotten."""
        self._running: dict[int, Generation] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._elsewhere = Elsewhere(database)
        self._looking: asyncio.Task[None] | None = None
        self._closed = False
        database.listener.on(CHANNEL, self._told)
        database.listener.on_change(lost=lambda: None, found=self._elsewhere.wake)

    async def open(self) -> None:
        self._journal.open()
        with suppress(DatabaseError):
            await self._look_once()
        self._looking = asyncio.create_task(self._look())

    async def close(self, *, seconds: float) -> None:
        """Give running answers ``seconds`` to end, then end them as interrupted."""
        self._closed = True
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        self.interrupt()
        if tasks:
            await asyncio.wait(tasks)
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))
        await self._journal.close()

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """The answers being written."""
        return set(self._tasks.values())

    def refuse(self) -> None:
        """Begin no other answer: the service is about to stop."""
        self._closed = True

    def interrupt(self) -> None:
        """End every answer of this worker now."""
        for stream_id in list(self._running):
            self._cancel(stream_id)

    async def start(self, stream_id: int, ask: Ask) -> bool:
        """Begin to answer, unless that was begun before; say whether it was now.

        Raises:
            Problem: 503, the service is stopping.
            DatabaseUnavailable, DatabaseError
        """
        if self._closed:
            raise stopping()
        if stream_id in self._running:
            return False
        self._running[stream_id] = generation = Generation(
            stream_id, patience=self._patience, abandon=lambda: self._cancel(stream_id)
        )
        claimed = False
        try:
            async with self._database.session() as session:
                claimed = await claim(session, stream_id, self._database.listener.worker)
        finally:
            if not claimed:
                del self._running[stream_id]
        if claimed:
            writing = Writing(self._desk, generation, ask)
            task = self._tasks[stream_id] = asyncio.create_task(writing.run())
            task.add_done_callback(lambda done: self._over(stream_id, done))
        return claimed

    def read(self, stream_id: int, position: int) -> AsyncGenerator[Sequence[Event], None]:
        """Yield what stands after ``position``, wherever the answer is written or kept."""
        generation = self._running.get(stream_id)
        if generation is not None:
            return generation.read(position, beat=self.beat)
        return self._elsewhere.read(stream_id, position, beat=self.beat)

    async def stop(self, stream_id: int) -> None:
        """End an answer, wherever it is written; return once it has ended, or in five seconds."""
        task = self._tasks.get(stream_id)
        if task is not None:
            self._cancel(stream_id)
            await asyncio.wait((task,), timeout=5)
            return
        await self._elsewhere.stop(stream_id)

    def _cancel(self, stream_id: int) -> None:
        task = self._tasks.get(stream_id)
        if task is not None and not task.cancelling():
            task.cancel()

    def _over(self, stream_id: int, done: asyncio.Task[None]) -> None:
        self._running.pop(stream_id, None)
        self._tasks.pop(stream_id, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.error("defect in an answer", exc_info=error, extra={"action": "stream_defect"})

    def _told(self, said: str) -> None:
        """Hear of the streams: ``join 12 reader``, ``leave 12 reader``, ``stop 12``, ``more 12``,
        ``over 12``.
        """
        word, number, *reader = said.split()
        stream_id = int(number)
        generation = self._running.get(stream_id)
        match word:
            case "join" if generation is not None:
                generation.join(reader[0], lease=_LEASE)
            case "leave" if generation is not None:
                generation.leave(reader[0])
            case "stop":
                self._cancel(stream_id)
            case "more" | "over":
                self._elsewhere.wake(stream_id)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            with suppress(DatabaseError):
                await self._look_once()

    async def _look_once(self) -> None:
        async with self._database.session() as session:
            await close_orphans(session, self._database.listener.worker, list(self._running))
