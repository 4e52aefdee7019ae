"""The schema brought up by hand, before a service of a new version starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from albert.api.database.connecting import complaint, connect
from albert.api.database.migrate import LATEST, Step, lock, migrate, steps, version, versions
from albert.domain.errors import DatabaseError


@dataclass(frozen=True, slots=True)
class Upgrade:
    """From which version of the schema, and through what."""

    found: str
    steps: list[Step]


async def upgrade(uri: str, target: str = LATEST, *, dry_run: bool = False) -> Upgrade:
    """Bring the schema up to ``target``; with ``dry_run`` only say what that would do.

    Raises:
        DatabaseUnavailable
        DatabaseError: PostgreSQL refused, or ``target`` is unknown or behind the schema.
    """
    known = versions()
    if target not in (LATEST, *known):
        raise DatabaseError(f"Le schéma n'a pas de version {target} : {', '.join(known)}.")

    def work(connection: Connection) -> Upgrade:
        if not dry_run:
            lock(connection)
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

    async with unhurried(uri) as connection:
        return await connection.run_sync(work)


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
