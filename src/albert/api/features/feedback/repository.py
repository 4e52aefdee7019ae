"""Opinions in the database."""

from __future__ import annotations

from sqlalchemy import BigInteger, column, delete, func, select, table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.features.feedback.schemas import FeedbackGiven
from albert.api.features.feedback.tables import Feedback
from albert.domain.errors import ObjectNotFound

_STREAMS = table("streams", column("id", BigInteger), column("user_id", BigInteger))
"""By its name, as foreign keys do: streams know feedback, not the other way round."""


async def owner_of_stream(session: AsyncSession, stream_id: int) -> int:
    """Return whose a stream is, and keep it from being erased meanwhile.

    Raises:
        ObjectNotFound
    """
    owner: int | None = await session.scalar(
        select(_STREAMS.c.user_id)
        .where(_STREAMS.c.id == stream_id)
        .with_for_update(read=True, key_share=True)
    )
    if owner is None:
        raise ObjectNotFound(f"Le flux {stream_id} n'existe pas.")
    return owner


async def put(
    session: AsyncSession, stream_id: int, user_id: int, given: FeedbackGiven
) -> Feedback:
    """Keep the opinion on a stream, in place of the one before."""
    said = {
        "type": given.type,
        "is_good": given.is_good,
        "note": given.note,
        "positives": given.positives or [],
        "negatives": given.negatives or [],
        "message": given.message,
    }
    new = insert(Feedback).values(stream_id=stream_id, user_id=user_id, **said)
    placed = new.on_conflict_do_update(
        index_elements=[Feedback.stream_id], set_={**said, "updated_at": func.now()}
    )
    return (await session.scalars(placed.returning(Feedback))).one()


async def find(session: AsyncSession, feedback_id: int) -> Feedback:
    """Raises ``ObjectNotFound``."""
    feedback = await session.get(Feedback, feedback_id)
    if feedback is None:
        raise ObjectNotFound(f"L'avis {feedback_id} n'existe pas.")
    return feedback


async def of_user(session: AsyncSession, user_id: int, *, skip: int, limit: int) -> list[Feedback]:
    """Return somebody's opinions, the first given first; one query."""
    chosen = select(Feedback).where(Feedback.user_id == user_id).order_by(Feedback.id)
    return list(await session.scalars(chosen.offset(skip).limit(limit)))


async def remove(session: AsyncSession, feedback_id: int) -> None:
    await session.execute(delete(Feedback).where(Feedback.id == feedback_id))
