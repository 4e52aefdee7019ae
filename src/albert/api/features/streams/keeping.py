"""What the database keeps of answers, while they are written and when they end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, cast, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.database.engine import Database
from albert.api.database.listener import WORKERS
from albert.api.features.streams.generation import Ending, Generation
from albert.api.features.streams.packing import packed
from albert.api.features.streams.tables import Piece, Stream
from albert.domain.errors import DatabaseError, DatabaseUnavailable

CHANNEL = "albert_streams"

_APPEND = text(
    """
    INSERT INTO stream_pieces (stream_id, position, text)
    SELECT said.id, said.position, said.piece
    FROM unnest(CAST(:ids AS bigint[]), CAST(:positions AS bigint[]), CAST(:pieces AS text[]))
        AS said (id, position, piece)
    JOIN streams ON streams.id = said.id AND streams.state = 'running' AND streams.worker = :worker
    RETURNING stream_id
    """
)
_WITHOUT_SYNC = text("SET LOCAL synchronous_commit = off")
"""A killed worker loses nothing by it; a crash of the database's own machine, half a second."""
_NOTIFY = text("SELECT pg_notify(:channel, said) FROM unnest(CAST(:said AS text[])) AS said")
_PATIENCE = 10.0
"""Seconds for which the database may be away before answers are given up."""
_AGAIN = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is kept of an answer when it ends."""

    state: Ending
    response: str
    finish: dict[str, Any]
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Journal:
    """Keeps pieces of all the answers of a worker, those that came together in one transaction.

    Pieces that come while one is under way wait for the next: the busier, the larger.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dirty: dict[int, Generation] = {}
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._task = asyncio.create_task(self._write())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def add(self, generation: Generation) -> None:
        """Keep what the generation has said since."""
        self._dirty[generation.stream_id] = generation
        self._work.set()

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            batch, self._dirty = self._dirty, {}
            await self._keep(list(batch.values()))

    async def _keep(self, batch: Sequence[Generation]) -> None:
        counts = [one.text.count for one in batch]
        rows = [
            (one, *one.text.between(one.kept, count))
            for one, count in zip(batch, counts, strict=True)
            if count > one.kept
        ]
        try:
            async with asyncio.timeout(_PATIENCE):
                owned = await self._insert(rows)
        except (TimeoutError, DatabaseError):
            for one in batch:
                one.abandon()
            return
        for one, count in zip(batch, counts, strict=True):
            if one.stream_id in owned or count == one.kept:
                one.keep(count)
            else:  # somebody took us for dead: what we write now, nobody keeps
                one.abandon()

    async def _insert(self, rows: Sequence[tuple[Generation, int, str]]) -> set[int]:
        while rows:
            try:
                async with self._database.session() as session:
                    await session.execute(_WITHOUT_SYNC)
                    found = await session.execute(
                        _APPEND,
                        {
                            "ids": [one.stream_id for one, _, _ in rows],
                            "positions": [position for _, position, _ in rows],
                            "pieces": [said for _, _, said in rows],
                            "worker": self._database.listener.worker,
                        },
                    )
                    followed = [one.stream_id for one, _, _ in rows if one.read_elsewhere]
                    await tell(session, [f"more {stream_id}" for stream_id in followed])
                    return set(found.scalars())
            except DatabaseUnavailable:
                await asyncio.sleep(_AGAIN)
        return set()


async def tell(session: AsyncSession, said: Sequence[str]) -> None:
    """Tell every worker, once the transaction is committed."""
    if said:
        await session.execute(_NOTIFY, {"channel": CHANNEL, "said": list(said)})


async def claim(session: AsyncSession, stream_id: int, worker: int) -> bool:
    """Make the stream ours to answer, unless somebody has answered or is answering."""
    claimed = (
        update(Stream)
        .where(Stream.id == stream_id, Stream.state == "waiting")
        .values(state="running", worker=worker, started_at=func.now(), updated_at=func.now())
        .returning(Stream.id)
    )
    return await session.scalar(claimed) is not None


async def keep_prompt(
    session: AsyncSession,
    stream_id: int,
    *,
    prompt: str,
    chunks: Sequence[str],
    sids: Sequence[str],
) -> None:
    """Keep what is sent to the model, before it is sent."""
    await session.execute(
        update(Stream)
        .where(Stream.id == stream_id)
        .values(
            prompt=packed(prompt),
            rag_sources=list(chunks),
            search_sids=func.coalesce(Stream.search_sids, list(sids)),
        )
    )


async def settle(session: AsyncSession, stream_id: int, worker: int, record: Record) -> bool:
    """Keep how an answer ended, if it is still ours, and tell those who wait for it."""
    ours = (
        update(Stream)
        .where(Stream.id == stream_id, Stream.state == "running", Stream.worker == worker)
        .values(
            state=record.state,
            response=record.response,
            finish=record.finish,
            prompt_tokens=record.prompt_tokens,
            completion_tokens=record.completion_tokens,
            finished_at=func.now(),
            updated_at=func.now(),
        )
        .returning(Stream.id)
    )
    kept = await session.scalar(ours) is not None
    await session.execute(delete(Piece).where(Piece.stream_id == stream_id))
    await tell(session, [f"over {stream_id}"])
    return kept


_INTERRUPT = text(
    """
    UPDATE streams
    SET state = 'interrupted', finish = '{}', finished_at = now(), updated_at = now(),
        response = coalesce(
            (SELECT string_agg(said.text, '' ORDER BY said.position)
             FROM stream_pieces AS said WHERE said.stream_id = streams.id),
            ''
        )
    WHERE state = 'running' AND worker = ANY(CAST(:gone AS bigint[]))
        AND NOT id = ANY(CAST(:alive AS bigint[]))
    RETURNING id
    """
)


async def close_orphans(session: AsyncSession, worker: int, alive: Collection[int]) -> None:
    """Mark interrupted the answers whose worker is gone; what was written is kept.

    ``alive`` are the streams that this ``worker`` is really writing.
    """
    writing = select(Stream.worker).where(Stream.state == "running").distinct()
    gone = [
        one
        for one in (await session.scalars(writing)).all()
        if one is not None and (one == worker or await is_gone(session, one))
    ]
    if gone:
        await interrupt(session, gone, alive)


async def interrupt(
    session: AsyncSession, workers: Sequence[int], alive: Collection[int] = ()
) -> None:
    """Mark interrupted what these workers were writing, but for the streams that are ``alive``."""
    given = {"gone": list(workers), "alive": list(alive)}
    found = list((await session.execute(_INTERRUPT, given)).scalars())
    await session.execute(delete(Piece).where(Piece.stream_id.in_(found)))
    await tell(session, [f"over {stream_id}" for stream_id in found])


async def is_gone(session: AsyncSession, worker: int) -> bool:
    """Whether a worker has ended: its lock is free. Ours until the transaction's end, then."""
    free = select(func.pg_try_advisory_xact_lock(cast(WORKERS, Integer), cast(worker, Integer)))
    return bool(await session.scalar(free))


async def withdraw(session: AsyncSession, stream_id: int) -> bool:
    """End a stream that nobody began to answer; say whether it was such."""
    withdrawn = (
        update(Stream)
        .where(Stream.id == stream_id, Stream.state == "waiting")
        .values(state="interrupted", response="", finish={}, finished_at=func.now())
        .returning(Stream.id)
    )
    return await session.scalar(withdrawn) is not None
