"""The first administrator: created once, with the key of the file, which stays revoked if it is."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from albert.api.database.engine import Database
from albert.api.features.accounts.tables import User
from albert.api.features.tokens import service as tokens
from albert.api.features.tokens.first_admin import FirstAdmin, ensure_first_admin
from albert.api.features.tokens.gate import DatabaseGate
from albert.api.keys import KEY_FILE, digest_of, ensure_key
from albert.domain.errors import AccountTaken, Unauthenticated
from albert.testing.services import enrol

pytestmark = pytest.mark.integration

WANTED = FirstAdmin(username="admin", email="admin@exemple.fr")


async def start(database: Database, key: str, wanted: FirstAdmin = WANTED) -> bool:
    return await ensure_first_admin(database, wanted, digest_of(key))


def test_it_is_created_once_however_many_start_together(database_uri: str) -> None:
    async def names() -> list[str]:
        workers = [Database(database_uri) for _ in range(4)]
        await asyncio.gather(*(start(one, "albert-cle") for one in workers))
        later = FirstAdmin(username="autre", email="autre@exemple.fr")
        await start(workers[0], "albert-cle", later)
        async with workers[0].session() as session:
            found = list(await session.scalars(select(User.username)))
        for one in workers:
            await one.close()
        return found

    assert asyncio.run(names()) == ["admin"]


def test_a_revoked_key_stays_so_and_another_file_gives_another(
    database_uri: str, tmp_path: Path
) -> None:
    async def story() -> list[bool]:
        database = Database(database_uri)
        gate = DatabaseGate(database, "0123456789abcdef" * 2)
        key, _ = ensure_key(tmp_path)
        opens = [await start(database, key)]
        admin = await gate.admit(key)
        assert admin.is_admin
        await tokens.revoke(database, admin.user_id, key)
        opens.append(await start(database, key))
        with pytest.raises(Unauthenticated):
            await gate.admit(key)
        (tmp_path / KEY_FILE).unlink()
        other, created = ensure_key(tmp_path)
        assert created
        opens.append(await start(database, other))
        await gate.admit(other)
        await database.close()
        return opens

    assert asyncio.run(story()) == [True, False, True]


def test_a_name_that_is_no_administrators_is_not_taken_over(database_uri: str) -> None:
    async def story() -> None:
        database = Database(database_uri)
        await enrol(database, "admin")
        try:
            await start(database, "albert-cle")
        finally:
            await database.close()

    with pytest.raises(AccountTaken):
        asyncio.run(story())
