"""What is in a database, as PostgreSQL's own catalog says it."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

_OURS = """
    n.nspname = current_schema() AND NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
_TABLES = f"""
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {_OURS} ORDER BY c.relname
"""  # noqa: S608 — our own words
_SEQUENCES = f"""
SELECT * FROM (
    SELECT c.relname AS "table", a.attname AS "column",
           pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND {_OURS}
) found WHERE name IS NOT NULL ORDER BY "table", "column"
"""  # noqa: S608 — our own words
_FOREIGN = f"""
SELECT k.conname AS name, k.convalidated AS valid,
       k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent,
       (SELECT string_agg(format('p.%I = c.%I', pa.attname, ca.attname), ' AND ')
        FROM unnest(k.conkey, k.confkey) AS pair (ours, theirs)
        JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = pair.ours
        JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = pair.theirs) AS "on",
       (SELECT string_agg(format('c.%I IS NOT NULL', ca.attname), ' AND ')
        FROM unnest(k.conkey) AS ours
        JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = ours) AS given
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND {_OURS} ORDER BY child, name
"""  # noqa: S608 — our own words


@dataclass(frozen=True, slots=True)
class Sequence:
    """Where numbers of a column come from."""

    table: str
    name: str
    follows: int
    """The number that it gives next."""
    highest: int
    """The highest number in the column."""

    @property
    def is_late(self) -> bool:
        return self.follows <= self.highest


async def tables(connection: asyncpg.Connection) -> list[str]:
    """Return the names of the tables, in order; not those of extensions."""
    return [row["relname"] for row in await connection.fetch(_TABLES)]


async def counts(connection: asyncpg.Connection) -> dict[str, int]:
    """Count the rows of each table."""
    return {
        name: await connection.fetchval(f"SELECT count(*) FROM {quoted(name)}")  # noqa: S608 — quoted
        for name in await tables(connection)
    }


async def schema_version(connection: asyncpg.Connection) -> str:
    """Return the version of the schema; empty where there is none."""
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return ""
    return await connection.fetchval("SELECT version_num FROM alembic_version") or ""


async def sequences(connection: asyncpg.Connection) -> list[Sequence]:
    """Return each sequence of a column of ours, and where both are."""
    found = []
    for row in await connection.fetch(_SEQUENCES):
        follows = await connection.fetchval(
            f"SELECT last_value + is_called::int FROM {row['name']}"  # noqa: S608 — quoted by PostgreSQL
        )
        column, table = quoted(row["column"]), quoted(row["table"])
        highest = await connection.fetchval(f"SELECT max({column}) FROM {table}")  # noqa: S608 — quoted
        found.append(
            Sequence(
                table=row["table"],
                name=row["name"],
                follows=follows,
                highest=highest or 0,
            )
        )
    return found


async def orphans(connection: asyncpg.Connection) -> dict[str, int]:
    """Count, by foreign key, the rows whose parent is missing; -1: it is not enforced."""
    found = {}
    for key in await connection.fetch(_FOREIGN):
        number = await connection.fetchval(
            f"SELECT count(*) FROM {key['child']} c WHERE {key['given']} AND NOT EXISTS "  # noqa: S608 — quoted by PostgreSQL
            f"(SELECT FROM {key['parent']} p WHERE {key['on']})"
        )
        if number or not key["valid"]:
            found[key["name"]] = number or -1
    return found


def quoted(name: str) -> str:
    """Return an identifier as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
