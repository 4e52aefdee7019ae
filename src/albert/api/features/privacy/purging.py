"""What is too old to be kept, erased: each day, or when somebody asks."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, inspect, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.database.engine import Database
from albert.api.database.tables import Table
from albert.api.features.accounts.tables import Attempts, PasswordReset, SignIn
from albert.api.features.chats.tables import Chat
from albert.api.features.feedback.tables import Feedback
from albert.api.features.ownership.tables import AdminRead
from albert.api.features.streams.tables import Stream
from albert.api.features.usage.tables import Usage
from albert.domain.errors import DatabaseError

_log = logging.getLogger(__name__)

READS_DAYS = 365
"""Days for which it is kept who read whose conversations."""
USAGE_DAYS = 365
"""Days for which it is kept what an account asked of which model, and what it cost."""
ATTEMPTS_DAYS = 1
"""Days after which a wrong password is forgotten."""
_BATCH = 1000
"""Objects erased in one transaction."""
_LOCK = 0x50555247
"""Of the advisory lock under which one process erases ("PURG")."""
_ALONE = text(f"SELECT pg_try_advisory_xact_lock({_LOCK})")
_FIRST = 60.0
_EVERY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Purged:
    """How many of each kind were erased, or would be; what goes with a chat is not counted."""

    chats: int = 0
    streams: int = 0
    """Those of no chat."""
    sign_ins: int = 0
    password_resets: int = 0
    sign_in_attempts: int = 0
    admin_reads: int = 0
    usage: int = 0

    def __add__(self, other: Purged) -> Purged:
        mine, theirs = asdict(self), asdict(other)
        return Purged(**{name: mine[name] + theirs[name] for name in mine})

    def __bool__(self) -> bool:
        return any(asdict(self).values())


async def purge(database: Database, days: int, *, dry_run: bool = False) -> Purged:
    """Erase the conversations without activity for ``days`` days, and what has expired.

    Activity is a question, the end of an answer, an opinion, or a change of the chat.
    With ``dry_run`` nothing is erased. Where another process is at it, it is left to it.

    Raises:
        DatabaseUnavailable, DatabaseError
    """
    old = _old(datetime.now(UTC), days)
    if dry_run:
        async with database.session() as session:
            return Purged(**{name: await _count(session, old[name]) for name in old})
    purged = Purged()
    while True:
        async with database.session() as session:
            if not await session.scalar(_ALONE):
                return purged
            batch = Purged(**{name: await _erase(session, old[name]) for name in old})
        if not batch:
            return purged
        purged += batch


_Old = tuple[type[Table], ColumnElement[bool]]


def _old(now: datetime, days: int) -> dict[str, _Old]:
    """Say of each table what is too old in it."""
    limit = now - timedelta(days=days)
    recent = or_(
        Stream.updated_at >= limit,
        exists().where(Feedback.stream_id == Stream.id, Feedback.updated_at >= limit),
    )
    return {
        "chats": (
            Chat,
            and_(Chat.updated_at < limit, ~exists().where(Stream.chat_id == Chat.id).where(recent)),
        ),
        "streams": (Stream, and_(Stream.chat_id.is_(None), ~recent)),
        "sign_ins": (SignIn, SignIn.expires_at < now),
        "password_resets": (PasswordReset, PasswordReset.expires_at < now),
        "sign_in_attempts": (
            Attempts,
            and_(
                Attempts.last_at < now - timedelta(days=ATTEMPTS_DAYS),
                func.coalesce(Attempts.locked_until, now) <= now,
            ),
        ),
        "admin_reads": (AdminRead, AdminRead.at < now - timedelta(days=READS_DAYS)),
        "usage": (Usage, Usage.at < now - timedelta(days=USAGE_DAYS)),
    }


async def _count(session: AsyncSession, old: _Old) -> int:
    table, condition = old
    return await session.scalar(select(func.count()).select_from(table).where(condition)) or 0


async def _erase(session: AsyncSession, old: _Old) -> int:
    """Erase some of what is too old; return how many."""
    table, condition = old
    [key] = inspect(table).primary_key
    some = select(key).where(condition).limit(_BATCH)
    erased = await session.execute(
        delete(table).where(key.in_(some)).returning(key),
        execution_options={"synchronize_session": False},
    )
    return len(erased.all())


class Purging:
    """Purges a minute after the start, then each day, while the service runs."""

    def __init__(
        self, database: Database, days: int, *, first: float = _FIRST, every: float = _EVERY
    ) -> None:
        """``first`` and ``every`` are in seconds."""
        self._database = database
        self._days = days
        self._first, self._every = first, every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Cancel it, in the middle of a transaction too: what it did there is undone."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        await asyncio.sleep(self._first)
        while True:
            try:
                purged = await purge(self._database, self._days)
            except DatabaseError as error:
                _log.warning(
                    "purge failed", extra={"action": "purge", "kind": type(error).__name__}
                )
            else:
                _log.info("purged", extra={"action": "purge", **asdict(purged)})
            await asyncio.sleep(self._every)
