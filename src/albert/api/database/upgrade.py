"""The schema brought up by hand, before a service of a new version starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from albert.api.database.connecting import complaint, connect
from albert.api.database.migrate import LATEST, Step, migrate, steps, version, versions
from albert.api.database.waiting import Patience, Queue, TableHeld
from albert.domain.errors import DatabaseError


@dataclass(frozen=True, slots=True)
class Upgrade:
    """From which version of the schema, and through what."""

    found: str
    steps: list[Step]


async def upgrade(
    uri: str,
    target: str = LATEST,
    *,
    dry_run: bool = False,
    tell: Callable[[str], None] = lambda _said: None,
    patience: Patience = Patience(),
) -> Upgrade:
    """Bring the schema up to ``target``; with ``dry_run`` only say what that would do.

    It happens once, however many processes ask. ``tell`` is given who is waited for.

    Raises:
        DatabaseUnavailable
        DatabaseError: PostgreSQL refused, ``target`` is unknown or behind the schema, or
            somebody held a table for too long.
    """
    known = versions()
    if target not in (LATEST, *known):
        raise DatabaseError(f"Le schéma n'a pas de version {target} : {', '.join(known)}.")

    async def attempt() -> Upgrade:
        async with unhurried(uri) as connection:
            queue = Queue(uri, connection, patience, tell)
            if not dry_run:
                await queue.take_turn()
            async with queue.at_the_tables():
                return await connection.run_sync(_upgrade, target, dry_run=dry_run)

    for _ in range(patience.attempts - 1):
        try:
            return await attempt()
        except TableHeld:
            await asyncio.sleep(patience.pause)
    return await attempt()


def _upgrade(connection: Connection, target: str, *, dry_run: bool) -> Upgrade:
    found = version(connection)
    if target != LATEST and found > target:
        raise DatabaseError(
            f"Le schéma est déjà en {found} : une migration ne se défait pas, mais le code "
            "d'avant s'en accommode."
        )
    todo = steps(found, target)
    if todo and not dry_run:
        migrate(connection, target)
    return Upgrade(found, todo)


@asynccontextmanager
async def unhurried(uri: str) -> AsyncIterator[AsyncConnection]:
    """Give one transaction that may take its time, committed at the end of the block.

    Raises:
        DatabaseUnavailable
        DatabaseError: PostgreSQL refused something in the block; everything is undone.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(uri),
        poolclass=NullPool,
        hide_parameters=True,
    )
    try:
        async with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        cause = getattr(error.orig, "__cause__", None) or error  # the driver's, as it was
        said = complaint(cause)
        raise DatabaseError(f"PostgreSQL a refusé, et rien n'a changé : {said}.") from error
    finally:
        await engine.dispose()
