"""Answers that another worker writes, or that are over: read from the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import suppress
from uuid import uuid4
from weakref import WeakValueDictionary

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.database.engine import Database
from albert.api.features.streams.generation import Ended, Event, Said, Silence
from albert.api.features.streams.keeping import interrupt, is_gone, tell, withdraw
from albert.api.features.streams.tables import Piece, Stream
from albert.domain.errors import ObjectNotFound

_STATE = select(Stream.state, Stream.worker, Stream.response, Stream.finish).where(
    Stream.id == bindparam("id")
)
_PIECES = (
    select(Piece.position, Piece.text)
    .where(
        Piece.stream_id == bindparam("id"),
        Piece.position + func.char_length(Piece.text) > bindparam("after"),
    )
    .order_by(Piece.position)
)
_RENEW = 5.0
"""Seconds between two reminders that a reader is there; the lease is three times that."""
_STOPPING = 5.0
"""Seconds for which a stop is waited for."""


class Elsewhere:
    """What this worker knows of the answers of the others: when to look again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news: WeakValueDictionary[int, asyncio.Event] = WeakValueDictionary()

    def wake(self, stream_id: int | None = None) -> None:
        """Something came of this stream, or may have come of any."""
        for key in [stream_id] if stream_id is not None else list(self._news):
            if (news := self._news.pop(key, None)) is not None:
                news.set()

    def _coming(self, stream_id: int) -> asyncio.Event:
        """Return what is set when something comes; shared by the readers who hold it."""
        return self._news.setdefault(stream_id, asyncio.Event())

    async def read(
        self, stream_id: int, position: int, *, beat: float
    ) -> AsyncGenerator[Sequence[Event], None]:
        """Yield what stands after ``position``, then how it ended; ``Silence`` while none comes.

        The answer's own worker is told of the reader, so that it goes on.
        """
        reader = uuid4().hex
        joined, last = 0.0, time.monotonic()
        try:
            while True:
                news = self._coming(stream_id)
                events = await self._look(stream_id, position)
                if events:
                    last = time.monotonic()
                    yield events
                    if isinstance(events[-1], Ended):
                        return
                    position = max(event.end for event in events if isinstance(event, Said))
                if time.monotonic() - joined >= _RENEW:
                    joined = time.monotonic()
                    await self._say(f"join {stream_id} {reader}")
                await _heard(news, min(_RENEW, beat))
                if time.monotonic() - last >= beat:
                    last = time.monotonic()
                    yield [Silence()]
        finally:
            if joined:
                await asyncio.shield(self._say(f"leave {stream_id} {reader}"))

    async def stop(self, stream_id: int) -> None:
        """Ask the worker to end it; one that nobody began ends as interrupted at once.

        Returns once it has ended, or in five seconds.
        """
        async with self._database.session() as session:
            if await withdraw(session, stream_id):
                return
            await tell(session, [f"stop {stream_id}"])
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOPPING):
                while True:
                    news = self._coming(stream_id)
                    events = await self._look(stream_id, 0)
                    if events and isinstance(events[-1], Ended):
                        return
                    await news.wait()

    async def _look(self, stream_id: int, position: int) -> list[Event]:
        """Return what the database has of the answer after ``position``.

        Raises:
            ObjectNotFound: it was erased.
        """
        async with self._database.session() as session:
            row = (await session.execute(_STATE, {"id": stream_id})).one_or_none()
            if row is None:
                raise ObjectNotFound
            state, worker, response, finish = row
            if state in ("waiting", "running"):
                if await self._is_orphan(session, worker):
                    await interrupt(session, [worker])
                given = {"id": stream_id, "after": position}
                return list(_said((await session.execute(_PIECES, given)).all(), position))
        rest = (response or "")[position:]
        ended = Ended(state=state, finish=finish or {}, length=len(response or ""))
        return [Said(rest, ended.length), ended] if rest else [ended]

    async def _is_orphan(self, session: AsyncSession, worker: int | None) -> bool:
        ours = self._database.listener.worker
        return worker not in (None, ours) and await is_gone(session, worker)

    async def _say(self, said: str) -> None:
        async with self._database.session() as session:
            await tell(session, [said])


def _said(pieces: Iterable[Row[int, str]], position: int) -> Iterator[Said]:
    for begin, piece in pieces:
        yield Said(piece[max(0, position - begin) :], begin + len(piece))


async def _heard(news: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
