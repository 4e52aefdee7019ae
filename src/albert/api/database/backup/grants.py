"""What other accounts may do with our tables, which goes with a table that is dropped."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

_GRANTS = """
SELECT format('GRANT %s%s ON %s %I TO %s%s', privilege_type, columns,
              CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(rolname) END,
              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS grant
FROM (
    SELECT c.relname, c.relkind, c.relowner, c.relnamespace, '' AS columns, a.*
    FROM pg_class c, aclexplode(c.relacl) a
    UNION ALL
    SELECT c.relname, c.relkind, c.relowner, c.relnamespace, format(' (%I)', t.attname), a.*
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
) given LEFT JOIN pg_roles ON pg_roles.oid = grantee
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'S')
AND grantee <> relowner ORDER BY 1
"""


async def grants(connection: asyncpg.Connection) -> list[str]:
    """Return the commands that give them."""
    return [row["grant"] for row in await connection.fetch(_GRANTS)]


async def give(connection: asyncpg.Connection, wanted: Iterable[str]) -> list[str]:
    """Give them again; return those whose table or column is there no more."""
    lost = []
    for grant in wanted:
        try:
            async with connection.transaction():  # inside that of the restoration
                await connection.execute(grant)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            lost.append(grant)
    return lost
