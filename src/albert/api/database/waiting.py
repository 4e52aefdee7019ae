"""Locks that others hold: waited for within bounds, and their holders named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from albert.api.database.connecting import connected
from albert.api.database.migrate import lock
from albert.domain.errors import DatabaseError

_HOLDERS = """
SELECT a.pid, a.application_name, a.xact_start FROM pg_stat_activity a
WHERE a.pid = ANY(pg_blocking_pids($1)) ORDER BY a.xact_start LIMIT 1
"""
_LOCKED, _DEADLOCK = "55P03", "40P01"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds given to those who are before us."""

    turn: float = 300.0
    """For another migration, or a restoration."""
    table: float = 5.0
    """For who holds a table: what the services ask of it meanwhile waits behind us."""
    attempts: int = 3
    """At the tables."""
    pause: float = 2.0
    """Between them: what waited behind us passes."""
    notice: float = 1.0
    """Before we look who it is, and tell it."""


class TableHeld(DatabaseError):
    """Another connection held a table for too long."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a connection waits for its locks."""

    uri: str
    connection: AsyncConnection
    patience: Patience
    tell: Callable[[str], None]
    """Of who is waited for."""

    async def take_turn(self) -> None:
        """Be the one that changes the schema, up to the end of the transaction.

        Raises:
            DatabaseError: another one is too long.
        """
        async with self._waiting(self.patience.turn) as seen:
            try:
                await self.connection.run_sync(lock)
            except DBAPIError as error:
                if not _is_held(error):
                    raise
                raise DatabaseError(_told("change le schéma", seen)) from error

    @asynccontextmanager
    async def at_the_tables(self) -> AsyncIterator[None]:
        """Bound what statements of the block wait for a table.

        Raises:
            TableHeld: another connection held one for too long.
        """
        async with self._waiting(self.patience.table) as seen:
            try:
                yield
            except DBAPIError as error:
                if not _is_held(error):
                    raise
                raise TableHeld(_told("retient une table", seen)) from error

    @asynccontextmanager
    async def _waiting(self, seconds: float) -> AsyncIterator[list[str]]:
        """Bound each wait for a lock, and look meanwhile who holds it."""
        bound = text("SELECT set_config('lock_timeout', :bound, true)")
        await self.connection.execute(bound, {"bound": f"{seconds * 1000:.0f}ms"})
        pid = await self.connection.scalar(text("SELECT pg_backend_pid()"))
        seen: list[str] = []
        watch = asyncio.create_task(self._watch(pid, seen))
        try:
            yield seen
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _watch(self, pid: int, seen: list[str]) -> None:
        """Name who keeps the session ``pid`` waiting; nothing depends on whether we can."""
        await asyncio.sleep(self.patience.notice)
        with suppress(DatabaseError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with connected(self.uri) as other:
                while True:
                    if row := await other.fetchrow(_HOLDERS, pid):
                        holder = _named(row)
                        if holder not in seen:
                            self.tell(f"On attend une autre connexion ({holder}) …")
                            seen.append(holder)
                    await asyncio.sleep(self.patience.notice)


def _named(row: asyncpg.Record) -> str:
    """Say which connection it is; never what it asked, which may quote data."""
    began = row["xact_start"]  # hidden from us where it is another account's
    since = f", depuis le {began.astimezone():%Y-%m-%d %H:%M:%S}" if began else ""
    return f"pid {row['pid']}, « {row['application_name'] or 'sans nom'} »{since}"


def _is_held(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in (_LOCKED, _DEADLOCK)


def _told(does: str, seen: list[str]) -> str:
    holder = f" ({seen[-1]})" if seen else ""
    return (
        f"Une autre connexion{holder} {does} : rien n'a été changé ; attendez sa fin, ou fermez-la "
        "par « SELECT pg_terminate_backend(pid) », puis recommencez."
    )
