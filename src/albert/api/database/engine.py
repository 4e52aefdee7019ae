"""Short transactions on a pool of connections."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from albert.api.database.connecting import connected
from albert.api.database.listener import Listener
from albert.api.database.migrate import is_current
from albert.api.database.upgrade import upgrade
from albert.domain.errors import DatabaseError, DatabaseUnavailable

_log = logging.getLogger(__name__)

_POOL = 20
"""Connections kept open: opening one costs more than most transactions."""
_OVERFLOW = 2
"""For what is no transaction: migrations, and asking whether the database answers."""
_WAIT_SECONDS = 30
"""For one's turn: hundreds of streams that begin together wait for one another."""
_RECYCLE_SECONDS = 300
"""Age at which a connection is replaced: firewalls forget those that are silent, later."""
_OPEN_SECONDS = 15.0


class Database:
    """One PostgreSQL, by its ``postgresql://`` address; nothing is opened before ``open``."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: asyncpg.connect(uri, timeout=5, command_timeout=30),
            pool_size=_POOL,
            max_overflow=_OVERFLOW,
            pool_timeout=_WAIT_SECONDS,
            pool_recycle=_RECYCLE_SECONDS,
            hide_parameters=True,  # they are names, addresses, questions: no log may have them
        )
        event.listen(self._engine.sync_engine, "checkout", _see_open)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._turns = asyncio.Semaphore(_POOL)
        self.listener = Listener(uri)

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    async def open(self) -> None:
        """Bring the schema up to date, and listen.

        Raises:
            DatabaseUnavailable: it did not answer for fifteen seconds.
            DatabaseError: it refused; at once, if it does not let us in. Or somebody holds
                what a migration changes.
        """
        await self._wait()
        async with _as_errors():
            async with self._engine.connect() as connection:
                current = await connection.run_sync(is_current)
            if not current:  # by a connection whose work is not bounded to that of a request
                await upgrade(self._uri, tell=_tell_waiting)
            await self.listener.open()

    async def _wait(self) -> None:
        end = time.monotonic() + _OPEN_SECONDS
        while not await self.answers():
            try:
                async with connected(self._uri):  # which tells why there is none
                    silence = DatabaseUnavailable()  # it lets us in, and does not answer in time
            except DatabaseUnavailable as error:
                silence = error
            if time.monotonic() > end:
                raise silence
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        await self.listener.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A transaction, committed at the end of the block, undone by an exception.

        Keep it short: none is held while a model writes.

        Raises:
            DatabaseUnavailable, DatabaseError
        """
        async with _as_errors(), self._turn(), self._sessions() as session, session.begin():
            yield session

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a connection, first come first served: the pool's own queue lets others pass."""
        async with asyncio.timeout(_WAIT_SECONDS):
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    async def answers(self) -> bool:
        """Whether the database answers now."""
        try:
            async with asyncio.timeout(3), self._engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except (OSError, TimeoutError, DBAPIError, PoolTimeout, asyncpg.PostgresError):
            return False
        except ValueError:  # the driver's, of an address that is none
            return False
        return True


def _tell_waiting(holder: str) -> None:
    _log.warning("migration waits", extra={"action": "migration_waits", "holder": holder})


def _see_open(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Have the pool replace a connection that PostgreSQL closed.

    The driver knows that by itself; SQLAlchemy's own look ("pre-ping") asks the server
    three times before each transaction.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


@asynccontextmanager
async def _as_errors() -> AsyncIterator[None]:
    """Turn what the driver raises into our errors; what it says may quote data: it stays here."""
    try:
        yield
    except (OSError, PoolTimeout, InterfaceError, OperationalError, TimeoutError) as error:
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_going(error):
            raise DatabaseUnavailable from error
        raise
    except asyncpg.PostgresError as error:
        if isinstance(error, asyncpg.PostgresConnectionError | asyncpg.OperatorInterventionError):
            raise DatabaseUnavailable from error
        _log.warning(
            "database refused", extra={"action": "database_refused", "kind": type(error).__name__}
        )
        raise DatabaseError from error


def _is_going(error: DBAPIError) -> bool:
    """Whether PostgreSQL is stopping or starting: class 57 of its error codes."""
    return str(getattr(error.orig, "sqlstate", "") or "").startswith("57")
