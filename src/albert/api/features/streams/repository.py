"""Questions and answers in the database: what is kept of them, apart from their writing."""

from __future__ import annotations

from sqlalchemy import Select, case, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from albert.api.features.feedback.tables import Feedback
from albert.api.features.streams.schemas import StreamCreate, StreamRead, stream_read
from albert.api.features.streams.tables import Piece, Stream
from albert.domain.errors import ObjectNotFound

_SO_FAR = (
    select(
        func.coalesce(
            func.string_agg(Piece.text, aggregate_order_by(literal_column("''"), Piece.position)),
            "",
        )
    )
    .where(Piece.stream_id == Stream.id)
    .correlate(Stream)
    .scalar_subquery()
)
_RESPONSE = case((Stream.state == "running", _SO_FAR), else_=Stream.response)

Whole = Select[Stream, str | None, Feedback | None]


def whole() -> Whole:
    """Choose streams, each with what is written of its answer and its feedback, in one query."""
    return (
        select(Stream, _RESPONSE, Feedback)
        .outerjoin(Feedback, Feedback.stream_id == Stream.id)
        .options(undefer(Stream.prompt))
    )


async def create(
    session: AsyncSession, user_id: int, asked: StreamCreate, *, chat_id: int | None = None
) -> StreamRead:
    """Keep a question, whose answer waits to be started."""
    stream = Stream(user_id=user_id, chat_id=chat_id, **asked.model_dump())
    session.add(stream)
    await session.flush()
    return await read(session, stream.id)


async def read(session: AsyncSession, stream_id: int) -> StreamRead:
    """Return a stream as it is read.

    Raises:
        ObjectNotFound
    """
    chosen = whole().where(Stream.id == stream_id)
    rows = await session.execute(chosen, execution_options={"populate_existing": True})
    row = rows.one_or_none()
    if row is None:
        raise ObjectNotFound(f"Le flux {stream_id} n'existe pas.")
    return stream_read(*row)


async def of_user(
    session: AsyncSession, user_id: int, *, skip: int, limit: int, desc: bool
) -> list[StreamRead]:
    """Return somebody's streams in the order they were asked, or from the last one; one query."""
    chosen = whole().where(Stream.user_id == user_id)
    return await _listed(session, chosen, skip=skip, limit=limit, desc=desc)


async def of_chat(
    session: AsyncSession,
    chat_id: int,
    *,
    skip: int = 0,
    limit: int | None = None,
    desc: bool = False,
) -> list[StreamRead]:
    """Return a chat's streams in the order they were asked, or from the last one; one query."""
    chosen = whole().where(Stream.chat_id == chat_id)
    return await _listed(session, chosen, skip=skip, limit=limit, desc=desc)


async def _listed(
    session: AsyncSession, chosen: Whole, *, skip: int, limit: int | None, desc: bool
) -> list[StreamRead]:
    order = Stream.id.desc() if desc else Stream.id
    rows = await session.execute(chosen.order_by(order).offset(skip).limit(limit))
    return [stream_read(*row) for row in rows]
