"""The schema and its history, on a real PostgreSQL."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from albert.api.database.engine import Database
from albert.api.database.migrate import SCHEMA_LOCK, migrate
from albert.api.database.upgrade import unhurried, upgrade
from albert.api.database.waiting import Patience
from albert.api.migrations.schema import METADATA
from albert.domain.errors import DatabaseError, DatabaseUnavailable

pytestmark = pytest.mark.integration


def test_the_migrations_make_the_tables_that_the_code_declares(database_uri: str) -> None:
    async def differences() -> list[object]:
        database = Database(database_uri)
        async with database.engine.connect() as connection:
            found: list[object] = await connection.run_sync(
                lambda one: compare_metadata(MigrationContext.configure(one), METADATA)
            )
        await database.close()
        return found

    assert asyncio.run(differences()) == []


def test_the_schema_goes_down_and_up_again_with_data_in_it(database_uri: str) -> None:
    async def down_and_up() -> int:
        database = Database(database_uri)
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO users (username, email, is_admin, accept_cookie, accept_retrain)"
                " VALUES ('camille', 'camille@exemple.fr', false, false, false)"
            )
            await connection.run_sync(migrate, "base")
            left = await connection.exec_driver_sql(
                "SELECT count(*) FROM pg_tables WHERE tablename IN ('users', 'streams')"
            )
            assert left.scalar() == 0
            await connection.run_sync(migrate)
            users = await connection.exec_driver_sql("SELECT count(*) FROM users")
            count: int = users.scalar_one()
        await database.close()
        return count

    assert asyncio.run(down_and_up()) == 0


def test_workers_that_start_together_migrate_once(postgres: str) -> None:
    async def start_together() -> list[object]:
        connection = await asyncpg.connect(postgres)
        await connection.execute("CREATE DATABASE bare")
        databases = [Database(postgres.replace("/postgres?", "/bare?")) for _ in range(4)]
        await asyncio.gather(*(database.open() for database in databases))
        async with databases[0].engine.connect() as one:
            versions = await one.exec_driver_sql("SELECT version_num FROM alembic_version")
            found: list[object] = list(versions.scalars())
        for database in databases:
            await database.close()
        await connection.execute("DROP DATABASE bare WITH (FORCE)")
        await connection.close()
        return found

    assert asyncio.run(start_together()) == ["0002"]


HASTY = Patience(turn=1.5, table=1.5, attempts=2, pause=0, notice=0.1)


def refused_upgrade(uri: str, held: str) -> tuple[str, int, list[str]]:
    """Migrate while another connection holds ``held``: what is said at last, its number, and
    what was said meanwhile.
    """

    async def work() -> tuple[str, int, list[str]]:
        forgotten = await asyncpg.connect(uri, server_settings={"application_name": "psql"})
        await forgotten.execute(f"BEGIN; {held}")
        told: list[str] = []
        with pytest.raises(DatabaseError) as refused:
            await upgrade(uri, tell=told.append, patience=HASTY)
        await forgotten.execute("UPDATE users SET username = username")  # the service's writes pass
        await forgotten.execute("ROLLBACK")
        await forgotten.close()
        return str(refused.value), forgotten.get_server_pid(), told

    return asyncio.run(work())


def schema_of(uri: str) -> object:
    async def work() -> object:
        connection = await asyncpg.connect(uri)
        try:
            return await connection.fetchval("SELECT version_num FROM alembic_version")
        finally:
            await connection.close()

    return asyncio.run(work())


def test_who_holds_a_table_is_named_and_nothing_waits_behind_a_migration(
    bare_database_uri: str,
) -> None:
    asyncio.run(upgrade(bare_database_uri, "0001"))

    said, pid, told = refused_upgrade(bare_database_uri, "LOCK users IN ROW EXCLUSIVE MODE")

    assert re.search(rf"\(pid {pid}, « psql », depuis le .*\) retient une table : rien n'a", said)
    assert f"(pid {pid}, " in told[0]
    assert schema_of(bare_database_uri) == "0001"
    asyncio.run(upgrade(bare_database_uri))
    assert schema_of(bare_database_uri) == "0002"


def test_another_migration_is_not_waited_for_for_ever(bare_database_uri: str) -> None:
    asyncio.run(upgrade(bare_database_uri, "0001"))

    said, pid, _ = refused_upgrade(
        bare_database_uri, f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})"
    )

    assert re.search(rf"\(pid {pid}, « psql », depuis le .*\) change le schéma", said)


def test_a_database_that_does_not_answer_is_an_error_of_ours() -> None:
    async def use() -> None:
        async with Database("postgresql://nobody@127.0.0.1:1/none").session() as session:
            await session.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        asyncio.run(use())


def test_a_database_that_lets_in_and_never_answers_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    @asynccontextmanager
    async def lets_in(_uri: str) -> AsyncIterator[None]:
        yield

    async def silent(_database: Database) -> bool:
        nonlocal asked
        asked += 1
        assert asked < 10, "it asks again and again, without a pause"
        return False

    monkeypatch.setattr("albert.api.database.engine.connected", lets_in)
    monkeypatch.setattr("albert.api.database.engine._OPEN_SECONDS", 0.2)
    monkeypatch.setattr(Database, "answers", silent)

    with pytest.raises(DatabaseUnavailable):
        asyncio.run(Database("postgresql://nobody@127.0.0.1:1/none").open())


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT 'camille@exemple.fr'::int", r"InvalidTextRepresentationError\.$"),
        ("INSERT INTO streams (user_id) VALUES (7)", r"null value in column .*constraint\.$"),
    ],
)
def test_what_postgresql_refuses_is_told_without_the_values_that_it_quotes(
    database_uri: str, statement: str, said: str
) -> None:
    async def refuse() -> None:
        async with unhurried(database_uri) as connection:
            await connection.exec_driver_sql(statement)

    with pytest.raises(DatabaseError, match=said):
        asyncio.run(refuse())
