"""What may be done with conversations, and by whom."""

from __future__ import annotations

from sqlalchemy import delete, func

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.chats import repository
from albert.api.features.chats.schemas import ChatCreate, ChatRead, ChatUpdate
from albert.api.features.chats.tables import Chat
from albert.api.features.ownership.rules import check_owner, check_reader


async def create(database: Database, caller: Principal, asked: ChatCreate) -> ChatRead:
    async with database.session() as session:
        chat = Chat(
            user_id=caller.user_id,
            chat_name=None,
            chat_type=asked.chat_type,
            operators=asked.operators or [],
            themes=asked.themes or [],
        )
        session.add(chat)
        await session.flush()
        return await repository.read(session, chat.id)


async def read(database: Database, caller: Principal, chat_id: int) -> ChatRead:
    """Raises ``ObjectNotFound``, ``NotOwner``."""
    async with database.session() as session:
        chat = await repository.read(session, chat_id)
        check_reader(session, caller, kind="chat", object_id=chat_id, owner_id=chat.user_id)
        return chat


async def listed(
    database: Database, caller: Principal, *, skip: int, limit: int, desc: bool
) -> list[ChatRead]:
    async with database.session() as session:
        return await repository.of_user(session, caller.user_id, skip=skip, limit=limit, desc=desc)


async def change(
    database: Database, caller: Principal, chat_id: int, asked: ChatUpdate
) -> ChatRead:
    """Raises ``ObjectNotFound``, ``NotOwner``."""
    async with database.session() as session:
        chat = await repository.find(session, chat_id, to_change=True)
        check_owner(caller, chat.user_id)
        for name, value in asked.model_dump(exclude_none=True).items():
            setattr(chat, name, value)
        chat.updated_at = func.now()
        await session.flush()
        return await repository.read(session, chat_id)


async def remove(database: Database, caller: Principal, chat_id: int) -> ChatRead:
    """Erase a chat and all that was said in it; return what it was.

    Raises:
        ObjectNotFound, NotOwner
    """
    async with database.session() as session:
        chat = await repository.find(session, chat_id, to_change=True)
        check_owner(caller, chat.user_id)
        was = await repository.read(session, chat_id)
        await session.execute(delete(Chat).where(Chat.id == chat_id))
        return was


async def name_later(database: Database, title: str, chat_id: int, *, was: str) -> None:
    """Give a chat the title that a model found, unless somebody named it meanwhile."""
    async with database.session() as session:
        await repository.rename(session, chat_id, was=was, name=title)
