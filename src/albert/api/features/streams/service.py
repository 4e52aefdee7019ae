"""What may be done with questions and answers, and by whom; writing answers is elsewhere."""

from __future__ import annotations

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.chats import repository as chats
from albert.api.features.chats.service import name_later
from albert.api.features.ownership.rules import check_owner, check_reader
from albert.api.features.streams import repository
from albert.api.features.streams.schemas import ChatArchive, StreamCreate, StreamRead
from albert.api.services import Services
from albert.asgi.problems import model_not_found
from albert.assistant.titles import title_of


async def ask_alone(services: Services, caller: Principal, asked: StreamCreate) -> StreamRead:
    """Keep a question that belongs to no chat.

    Raises:
        Problem: no such model.
    """
    _check_model(services, asked)
    async with services.database.session() as session:
        return await repository.create(session, caller.user_id, asked)


async def ask_in_chat(
    services: Services,
    caller: Principal,
    chat_id: int,
    asked: StreamCreate,
) -> StreamRead:
    """Keep the next question of a chat; one without a name is named after it.

    A model that can find a better title does so in the background.

    Raises:
        Problem: no such model.
        ObjectNotFound, NotOwner
    """
    _check_model(services, asked)
    async with services.database.session() as session:
        title = await _continue(session, caller, chat_id, title_of(asked.query))
        stream = await repository.create(session, caller.user_id, asked, chat_id=chat_id)
    if title and services.titler is not None:
        named = _entitle(services, asked.query, chat_id, was=title)
        services.background.start(named, optional=True)
    return stream


async def _continue(session: AsyncSession, caller: Principal, chat_id: int, title: str) -> str:
    """Say that a chat goes on, and name it if it has no name; return the name it got here."""
    chat = await chats.find(session, chat_id, to_change=True)
    check_owner(caller, chat.user_id)
    chat.updated_at = func.now()
    if chat.chat_name is not None or not title:
        return ""
    chat.chat_name = title
    return title


async def _entitle(services: Services, question: str, chat_id: int, *, was: str) -> None:
    assert services.titler is not None  # noqa: S101 — looked at by the caller
    title = await services.titler(question)
    if title != was:
        await name_later(services.database, title, chat_id, was=was)


async def read(database: Database, caller: Principal, stream_id: int) -> StreamRead:
    """Raises ``ObjectNotFound``, ``NotOwner``."""
    async with database.session() as session:
        stream = await repository.read(session, stream_id)
        check_reader(session, caller, kind="stream", object_id=stream_id, owner_id=stream.user_id)
        return stream


async def listed(
    database: Database,
    caller: Principal,
    *,
    chat_id: int | None,
    skip: int,
    limit: int,
    desc: bool,
) -> list[StreamRead]:
    """Return the caller's streams, or those of one chat that the caller may read.

    Raises:
        ObjectNotFound, NotOwner
    """
    async with database.session() as session:
        if chat_id is None:
            return await repository.of_user(
                session, caller.user_id, skip=skip, limit=limit, desc=desc
            )
        chat = await chats.find(session, chat_id)
        check_reader(session, caller, kind="chat", object_id=chat_id, owner_id=chat.user_id)
        return await repository.of_chat(session, chat_id, skip=skip, limit=limit, desc=desc)


async def archive(database: Database, caller: Principal, chat_id: int) -> ChatArchive:
    """Return a chat and all that was said in it.

    Raises:
        ObjectNotFound, NotOwner
    """
    async with database.session() as session:
        chat = await chats.read(session, chat_id)
        check_reader(session, caller, kind="chat", object_id=chat_id, owner_id=chat.user_id)
        streams = await repository.of_chat(session, chat_id)
    return ChatArchive(**chat.model_dump(), streams=streams)


def _check_model(services: Services, asked: StreamCreate) -> None:
    if asked.model_name not in services.answerers:
        raise model_not_found(asked.model_name, tuple(services.answerers))
