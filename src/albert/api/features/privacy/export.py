"""All that is kept of a person, as JSON in a zip."""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.database.tables import Table
from albert.api.features.accounts.tables import PasswordReset, SignIn, User
from albert.api.features.chats.tables import Chat
from albert.api.features.limits.tables import Limit, LimitCounter
from albert.api.features.ownership.tables import AdminRead
from albert.api.features.streams.packing import unpacked
from albert.api.features.streams.repository import whole
from albert.api.features.streams.schemas import StreamRead, stream_read
from albert.api.features.streams.tables import Stream
from albert.api.features.tokens.tables import ApiToken
from albert.api.features.usage.tables import Usage

FILE = "albert.json"
_IN_MEMORY = 4 << 20
"""Bytes of the archive beyond which it is a file, without a name, on the disk."""
_AT_ONCE = 50
"""Streams in memory at a time."""
_CALLS_AT_ONCE = 500
_SECRET = {"password_hash", "digest"}
"""What opens an account, even hashed."""
_NOT_TOLD = {"user_id", "owner_id", "admin_id", "holders"}
"""The person themselves; who the admin was, who is a person too; and numbers of processes."""


async def export(database: Database, caller: Principal) -> IO[bytes]:
    """Return the archive, to be read from its beginning; closing it erases it.

    Raises:
        DatabaseUnavailable, DatabaseError
    """
    archive: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 — the caller's
    try:
        with (
            zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed,
            packed.open(FILE, "w", force_zip64=True) as entry,
        ):
            async with database.session() as session:
                async for part in _document(session, caller.user_id):
                    await asyncio.to_thread(entry.write, part)
    except BaseException:
        archive.close()
        raise
    archive.seek(0)
    return archive


async def _document(session: AsyncSession, user_id: int) -> AsyncIterator[bytes]:
    """Yield the pieces of one JSON object: what is short first, then the conversations."""
    [account] = await _rows(session, User, User.id == user_id)
    short = {
        "exported_at": datetime.now(UTC),
        "account": account,
        "tokens": await _rows(session, ApiToken, ApiToken.user_id == user_id),
        "sign_ins": await _rows(session, SignIn, SignIn.user_id == user_id),
        "password_resets": await _rows(session, PasswordReset, PasswordReset.user_id == user_id),
        "admin_reads": await _rows(session, AdminRead, AdminRead.owner_id == user_id),
        "limits": await _rows(session, Limit, Limit.user_id == user_id),
        "limit_counters": await _rows(session, LimitCounter, LimitCounter.user_id == user_id),
    }
    chats = await _rows(session, Chat, Chat.user_id == user_id)
    streams = _Streams(session, user_id)
    yield _opened(short, "chats")
    for number, chat in enumerate(chats):
        yield (b"," if number else b"") + _opened(chat, "streams")
        async for part in streams.take(chat["id"]):
            yield part
        yield b"]}"
    yield b'],"streams":['
    async for part in streams.take(None):
        yield part
    yield b'],"usage":['
    async for part in _usage(session, user_id):
        yield part
    yield b"]}"


def _opened(fields: Mapping[str, Any], name: str) -> bytes:
    """Return an object whose last field is a list that is still open."""
    return orjson.dumps(fields, default=_uuid)[:-1] + b',"' + name.encode() + b'":['


def _uuid(value: object) -> str:
    """Write an id that asyncpg read: its class is its own, which orjson does not know."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


async def _rows(
    session: AsyncSession, table: type[Table], mine: ColumnElement[bool]
) -> list[dict[str, Any]]:
    """Return what is kept in a table, in order, without what opens an account."""
    rows = await session.execute(
        select(*_told(table)).where(mine).order_by(*inspect(table).primary_key)
    )
    return [dict(row) for row in rows.mappings()]


def _told(table: type[Table]) -> list[ColumnElement[Any]]:
    return [c for c in table.__table__.columns if c.name not in _SECRET | _NOT_TOLD]


async def _usage(session: AsyncSession, user_id: int) -> AsyncIterator[bytes]:
    """Yield the calls of a person, as items of a JSON list: there may be very many."""
    chosen = select(*_told(Usage)).where(Usage.user_id == user_id).order_by(Usage.at, Usage.id)
    comma = b""
    options = {"yield_per": _CALLS_AT_ONCE}
    async for row in await session.stream(chosen, execution_options=options):
        yield comma + orjson.dumps(dict(row._mapping), default=_uuid)
        comma = b","


class _Streams:
    """Somebody's streams, read chat by chat with a cursor; those of no chat come last."""

    def __init__(self, session: AsyncSession, user_id: int) -> None:
        chosen = whole().where(Stream.user_id == user_id)
        self._chosen = chosen.order_by(Stream.chat_id.nulls_last(), Stream.id)
        self._session = session
        self._coming: AsyncIterator[StreamRead] = self._read()
        self._next: StreamRead | None = None

    async def take(self, chat_id: int | None) -> AsyncIterator[bytes]:
        """Yield the next streams as items of a JSON list: those of the chat, or all of them."""
        comma = b""
        stream = self._next or await anext(self._coming, None)
        while stream is not None and chat_id in (stream.chat_id, None):
            yield comma + orjson.dumps({**stream.model_dump(), "prompt": _prompt(stream)})
            comma, stream = b",", await anext(self._coming, None)
        self._next = stream

    async def _read(self) -> AsyncIterator[StreamRead]:
        options = {"yield_per": _AT_ONCE}
        async for row in await self._session.stream(self._chosen, execution_options=options):
            yield stream_read(*row)


def _prompt(stream: StreamRead) -> str | None:
    """Return what was sent to the model, as text."""
    return None if stream.prompt is None else unpacked(bytes.fromhex(stream.prompt))
