"""The code before a migration runs on the schema after it: so one may go back to that code."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from populated import execute, on

from albert.api.database.engine import Database
from albert.api.database.migrate import versions
from albert.api.database.upgrade import upgrade

pytestmark = pytest.mark.integration

PAIRS = list(zip(versions(), versions()[1:], strict=False))
RECORDED = Path(__file__).parent / "schema"
"""What the code of a version sent: ``pytest tests/integration --record-statements FILE``.

Recorded with the last commit before the next version.
"""

_COLUMNS = """
SELECT table_name::text, column_name::text, is_nullable = 'YES' AS nullable,
       data_type || ' ' || udt_name AS type, column_default AS "default",
       column_default IS NOT NULL OR is_identity = 'YES' AS filled
FROM information_schema.columns WHERE table_schema = 'public'
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text AS "table", conname || ' ' || pg_get_constraintdef(oid) AS said
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
"""
_UNIQUE = """
SELECT indrelid::regclass::text AS "table", pg_get_indexdef(indexrelid) AS said
FROM pg_index WHERE indisunique AND indrelid IN
    (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
"""
_KEEPING = """
SELECT conname FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND confdeltype NOT IN ('c', 'n')
"""


class Shape:
    """What code may rely on, and what may refuse what it writes."""

    def __init__(
        self, columns: list[asyncpg.Record], rules: list[asyncpg.Record], keeping: list[str]
    ) -> None:
        self.columns = {(row["table_name"], row["column_name"]): row for row in columns}
        self.tables = {table for table, _ in self.columns}
        self.rules = {(row["table"], row["said"]) for row in rules}
        self.keeping = keeping


async def shape(connection: asyncpg.Connection) -> Shape:
    rules = [*await connection.fetch(_CONSTRAINTS), *await connection.fetch(_UNIQUE)]
    keeping = [row["conname"] for row in await connection.fetch(_KEEPING)]
    return Shape(await connection.fetch(_COLUMNS), rules, keeping)


@pytest.fixture(params=PAIRS, ids="-".join)
def before_and_after(request: pytest.FixtureRequest, bare_database_uri: str) -> tuple[Shape, Shape]:
    before, after = request.param
    asyncio.run(upgrade(bare_database_uri, before))
    earlier = on(bare_database_uri, shape)
    asyncio.run(upgrade(bare_database_uri, after))
    return earlier, on(bare_database_uri, shape)


def test_no_table_or_column_goes_or_changes_its_type(
    before_and_after: tuple[Shape, Shape],
) -> None:
    before, after = before_and_after
    changed = [
        key
        for key, row in before.columns.items()
        if key not in after.columns or after.columns[key]["type"] != row["type"]
    ]
    assert changed == []


def test_what_could_be_left_out_still_can(before_and_after: tuple[Shape, Shape]) -> None:
    before, after = before_and_after
    tightened = [
        key
        for key, row in before.columns.items()
        if (row["nullable"] and not after.columns[key]["nullable"])
        or (row["filled"] and not after.columns[key]["filled"])
    ]
    assert tightened == []


def test_new_columns_of_known_tables_may_be_left_out(
    before_and_after: tuple[Shape, Shape],
) -> None:
    before, after = before_and_after
    asked = [
        key
        for key, row in after.columns.items()
        if key not in before.columns
        and key[0] in before.tables
        and not (row["nullable"] or row["filled"])
    ]
    assert asked == []


def test_known_tables_keep_their_rules_and_have_no_others(
    before_and_after: tuple[Shape, Shape],
) -> None:
    before, after = before_and_after
    assert {rule for rule in after.rules if rule[0] in before.tables} == before.rules


def test_what_refers_to_a_row_never_keeps_it_from_being_erased(
    before_and_after: tuple[Shape, Shape],
) -> None:
    _, after = before_and_after
    assert after.keeping == []  # code that knows no new table deletes users and chats all the same


@pytest.mark.parametrize("version", versions()[:-1])
def test_every_statement_of_earlier_code_means_something_on_this_schema(
    database_uri: str, version: str
) -> None:
    statements = (RECORDED / f"{version}.sql").read_text("utf-8").splitlines()
    assert len(statements) > 50

    async def prepare(connection: asyncpg.Connection) -> None:
        for statement in statements:
            await connection.prepare(statement.removesuffix(";"))

    on(database_uri, prepare)


def test_code_starts_on_a_schema_of_later_code_and_leaves_it(database_uri: str) -> None:
    execute(database_uri, "UPDATE alembic_version SET version_num = '9999'")

    async def start() -> bool:
        database = Database(database_uri)
        await database.open()
        try:
            return await database.answers()
        finally:
            await database.close()

    async def version(connection: asyncpg.Connection) -> str:
        found: str = await connection.fetchval("SELECT version_num FROM alembic_version")
        return found

    assert asyncio.run(start())
    assert on(database_uri, version) == "9999"
