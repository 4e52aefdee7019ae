"""Tokens open the API until they are revoked, on every worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

from albert.api.app import Application, create_app
from albert.api.database.engine import Database
from albert.api.features.accounts.changes import forget
from albert.api.features.accounts.tables import User
from albert.testing.services import ask, enrol, scripted, with_database

pytestmark = pytest.mark.integration

MODELS = "/v1/models"


@asynccontextmanager
async def workers(uri: str, count: int = 1) -> AsyncIterator[tuple[Database, list[Application]]]:
    served = [with_database(scripted(), uri) for _ in range(count)]
    apps = [create_app(services) for services in served]
    for app in apps:
        await app.open()
    try:
        yield served[0].database, apps
    finally:
        for app in apps:
            await app.close()


def test_a_token_opens_and_another_does_not(database_uri: str) -> None:
    async def statuses() -> list[int]:
        async with workers(database_uri) as (database, [app]):
            token = await enrol(database, "camille")
            tried = [token, token, "albert-inconnu", "a.b.c", "é"]
            return [(await ask(app, "GET", MODELS, key=key)).status for key in tried]

    assert asyncio.run(statuses()) == [200, 200, 401, 401, 401]


def test_an_account_that_waits_or_was_declined_is_403(database_uri: str) -> None:
    async def statuses() -> list[int]:
        async with workers(database_uri) as (database, [app]):
            tokens = [
                await enrol(database, "attend", confirmed=None),
                await enrol(database, "refusee", confirmed=False),
            ]
            return [(await ask(app, "GET", MODELS, key=key)).status for key in tokens]

    assert asyncio.run(statuses()) == [403, 403]


def test_a_change_is_heard_by_every_worker_that_had_let_the_token_in(database_uri: str) -> None:
    async def statuses() -> list[int]:
        async with workers(database_uri, 2) as (database, [one, other]):
            token = await enrol(database, "camille")
            before = await statuses_of(one, other, token)
            async with database.session() as session:
                await session.execute(update(User).values(is_confirmed=False))
                await forget(session, 1)
            async with asyncio.timeout(10):  # for the notification to cross
                while await statuses_of(one, other, token) != [403, 403]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            return before

    assert asyncio.run(statuses()) == [200, 200]


async def statuses_of(one: Application, other: Application, token: str) -> list[int]:
    return [(await ask(app, "GET", MODELS, key=token)).status for app in (one, other)]
