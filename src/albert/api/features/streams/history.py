"""What was said before, in a conversation."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.features.streams.tables import Stream
from albert.domain.conversation import Message

MOST_TURNS = 20
"""Earlier questions that are looked at; the prompt's budget leaves out more of them."""


async def earlier_turns(
    session: AsyncSession, chat_id: int, before: int, *, most: int = MOST_TURNS
) -> tuple[Message, ...]:
    """Return the questions of a chat before stream ``before``, each then its answer.

    The oldest comes first; there are at most ``most`` pairs, the last ones. Questions
    without an answer (waiting, running, failed, or stopped before a word) are left out.
    """
    chosen = (
        select(Stream.query, Stream.response)
        .where(
            Stream.chat_id == chat_id,
            Stream.id < before,
            Stream.state.in_(("done", "interrupted")),
            Stream.response != "",
        )
        .order_by(Stream.id.desc())
        .limit(most)
    )
    turns = reversed((await session.execute(chosen)).all())
    return tuple(
        message
        for query, response in turns
        for message in (Message("user", query), Message("assistant", response or ""))
    )
