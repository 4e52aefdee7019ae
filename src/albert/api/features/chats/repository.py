"""Conversations in the database."""

from __future__ import annotations

from sqlalchemy import column, func, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.features.chats.schemas import ChatRead, chat_read
from albert.api.features.chats.tables import Chat
from albert.domain.errors import ObjectNotFound

_STREAMS = table("streams", column("chat_id"))
"""By its name, as foreign keys do: streams know chats, not the other way round."""
_COUNT = (
    select(func.count())
    .select_from(_STREAMS)
    .where(_STREAMS.c.chat_id == Chat.id)
    .correlate(Chat)
    .scalar_subquery()
)


async def find(session: AsyncSession, chat_id: int, *, to_change: bool = False) -> Chat:
    """Return a chat; one that is to change is locked until the end of the transaction.

    Raises:
        ObjectNotFound
    """
    chat = await session.get(Chat, chat_id, with_for_update=to_change or None)
    if chat is None:
        raise ObjectNotFound(f"La conversation {chat_id} n'existe pas.")
    return chat


async def read(session: AsyncSession, chat_id: int) -> ChatRead:
    """Return a chat as it is read.

    Raises:
        ObjectNotFound
    """
    row = (
        await session.execute(
            select(Chat, _COUNT).where(Chat.id == chat_id),
            execution_options={"populate_existing": True},
        )
    ).one_or_none()
    if row is None:
        raise ObjectNotFound(f"La conversation {chat_id} n'existe pas.")
    return chat_read(*row)


async def of_user(
    session: AsyncSession, user_id: int, *, skip: int, limit: int, desc: bool
) -> list[ChatRead]:
    """Return somebody's chats in the order they were opened, or from the last one; one query."""
    order = Chat.id.desc() if desc else Chat.id
    chosen = select(Chat, _COUNT).where(Chat.user_id == user_id).order_by(order)
    rows = await session.execute(chosen.offset(skip).limit(limit))
    return [chat_read(*row) for row in rows]


async def rename(session: AsyncSession, chat_id: int, *, was: str, name: str) -> None:
    """Name a chat, unless it bears another name than ``was`` by now."""
    await session.execute(
        update(Chat).where(Chat.id == chat_id, Chat.chat_name == was).values(chat_name=name)
    )
