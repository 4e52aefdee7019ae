"""What verbs do with the database of the settings, whether the service runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from albert.api.database.engine import Database
from albert.api.features.accounts import repository
from albert.api.features.accounts.names import normal
from albert.api.features.accounts.tables import User
from albert.bootstrap.home import Place
from albert.cli.start import place
from albert.domain.errors import AccountNotFound

T = TypeVar("T")


def on_database(work: Callable[[Database], Awaitable[T]], one: Place | None = None) -> T:
    """Do something with the database of the settings; ours is started for it if need be."""

    async def done(uri: str) -> T:
        database = Database(uri)
        try:
            await database.open()
            return await work(database)
        finally:
            await database.close()

    with (one or place()).database() as uri:
        return asyncio.run(done(uri))


async def account_of(database: Database, login: str) -> User:
    """Return the account of a name or an address.

    Raises:
        AccountNotFound
    """
    async with database.session() as session:
        user = await repository.by_login(session, normal(login))
    if user is None:
        raise AccountNotFound
    return user
