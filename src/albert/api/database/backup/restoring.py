"""A backup put back, in one transaction: until its end, what was there is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from albert.api.database import catalog
from albert.api.database.backup import grants, programs, script
from albert.api.database.backup.archive import pieces
from albert.api.database.backup.manifest import Manifest
from albert.api.database.connecting import complaint
from albert.api.database.listener import WORKERS
from albert.api.database.migrate import Step, migrate, steps, versions
from albert.api.database.upgrade import unhurried
from albert.api.database.waiting import Patience, Queue
from albert.domain.errors import BackupInvalid, DatabaseError

_VERSION = "alembic_version"
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
"""
_WORKERS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objsubid = 2
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_RETURNED = "SELECT username FROM users WHERE id < $1 AND NOT id = ANY($2) ORDER BY id"
_REVOKED = "SELECT digest FROM api_tokens WHERE revoked_at IS NOT NULL"
_VALID_AGAIN = """
SELECT u.username || ' : ' || t.name AS said FROM api_tokens t JOIN users u ON u.id = t.user_id
WHERE t.revoked_at IS NULL AND t.digest = ANY($1) ORDER BY u.id, t.name
"""


@dataclass(frozen=True, slots=True)
class Restored:
    tables: dict[str, int]
    """Rows of each table, counted after the restoration: those of the manifest."""
    steps: list[Step]
    """What brought the schema to that of this code."""
    late: list[str]
    """Sequences that were behind their column, and are not any more."""
    returned: list[str]
    """Accounts that had been erased since the backup, and are back, by their names."""
    valid_again: list[str]
    """Tokens that had been revoked since, each after the name of its account."""
    lost: list[str]
    """Grants to other accounts that could not be given again: what they were on is no more."""


def refuse_newer(manifest: Manifest) -> None:
    """Refuse a backup of a schema that this code does not know.

    Raises:
        BackupInvalid
    """
    if manifest.schema_version not in versions():
        raise BackupInvalid(
            f"Cette sauvegarde vient d'une version plus récente d'Albert ({manifest.albert}, "
            f"schéma {manifest.schema_version}) : mettez Albert à jour, puis restaurez-la."
        )


async def restore(
    uri: str,
    path: Path,
    manifest: Manifest,
    ours: Collection[str],
    *,
    replace: bool = False,
    while_serving: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _of: None,
    tell_wait: Callable[[str], None] = lambda _said: None,
    patience: Patience = Patience(table=10.0),
) -> Restored:
    """Put a backup, which was verified, into a database, and bring its schema up.

    All of it happens, or nothing. ``ours`` are the tables of this code: a database that has
    others is left alone. Without ``replace`` it must be empty; without ``while_serving``,
    nobody else may be connected to it. ``tell_wait`` is given who is waited for.

    Raises:
        BackupInvalid: it is of a later schema, or does not hold what it says.
        DatabaseUnavailable
        DatabaseError: the database is in use, not empty, not ours, or PostgreSQL refused.
    """
    refuse_newer(manifest)
    async with unhurried(uri) as connection:
        raw = await connection.get_raw_connection()
        driver = cast("asyncpg.Connection", raw.driver_connection)
        source = _Source(path, manifest, {*ours, *manifest.tables, _VERSION}, tell)
        queue = Queue(uri, connection, patience, tell_wait)
        with _as_errors():
            if not while_serving:
                await _refuse_others(driver)
            await queue.take_turn()
            found = await _held(queue, driver, source.ours)
            return await _restore(connection, driver, source, found, replace=replace)


@contextmanager
def _as_errors() -> Iterator[None]:
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        raise DatabaseError(
            "Une autre connexion retient une table de la base : fermez-la, puis recommencez."
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseError(
            f"PostgreSQL a refusé la restauration, et rien n'a changé : {complaint(error)}."
        ) from error


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    manifest: Manifest
    ours: set[str]
    tell: Callable[[int, int], None]

    def pieces(self) -> Iterator[bytes]:
        done = 0
        for piece in pieces(self.path):
            done += len(piece)
            self.tell(done, self.manifest.size)
            yield piece


async def _restore(
    connection: AsyncConnection,
    driver: asyncpg.Connection,
    source: _Source,
    found: dict[str, int],
    *,
    replace: bool,
) -> Restored:
    if not replace:
        _refuse_data(found)
    given = await grants.grants(driver)
    erased = await _erased(driver, found)
    revoked = await driver.fetch(_REVOKED) if "api_tokens" in found else []
    if found:
        await driver.execute("DROP TABLE " + ", ".join(map(catalog.quoted, found)))
    async with aclosing(programs.script(source.pieces())) as sql:
        await script.run(driver, sql)
    await driver.execute("RESET ALL")  # a script of pg_restore leaves no schema to search
    counted = await catalog.counts(driver)
    _compare(counted, source.manifest)
    await connection.run_sync(migrate)
    late = [one for one in await catalog.sequences(driver) if one.is_late]
    for one in late:
        await driver.execute("SELECT setval($1::regclass, $2)", one.name, one.highest)
    lost = await grants.give(driver, given)
    return Restored(
        tables=counted,
        steps=steps(source.manifest.schema_version),
        late=[one.name for one in late],
        returned=[row["username"] for row in await driver.fetch(_RETURNED, *erased)],
        valid_again=[
            row["said"]
            for row in await driver.fetch(_VALID_AGAIN, [one["digest"] for one in revoked])
        ],
        lost=lost,
    )


async def _held(queue: Queue, driver: asyncpg.Connection, ours: set[str]) -> dict[str, int]:
    """Close the tables to all others, then count the rows of each: nobody can add one after."""
    names = await catalog.tables(driver)
    _refuse_strangers(set(names) - ours, await catalog.schema_version(driver))
    if names:
        every = ", ".join(map(catalog.quoted, names))
        async with queue.at_the_tables():
            await queue.connection.exec_driver_sql(f"LOCK TABLE {every} IN ACCESS EXCLUSIVE MODE")
    return await catalog.counts(driver)


async def _refuse_others(driver: asyncpg.Connection) -> None:
    others = await driver.fetchval(_OTHERS)
    if others:
        services = await driver.fetchval(_WORKERS, WORKERS)
        raise DatabaseError(
            f"La base sert : {others} autres connexions, dont {services} services d'Albert. "
            "Arrêtez-les, ou ajoutez --while-serving."
        )


def _refuse_strangers(strangers: set[str], schema_version: str) -> None:
    if strangers and schema_version > versions()[-1]:
        raise DatabaseError(
            f"La base est d'un Albert plus récent (schéma {schema_version}) : restaurez dans une "
            "base vide, que vous mettrez à sa place."
        )
    if strangers:
        raise DatabaseError(
            f"La base a des tables qui ne sont pas d'Albert ({', '.join(sorted(strangers))}) : "
            "restaurez dans une base qui ne soit qu'à lui."
        )


def _refuse_data(found: dict[str, int]) -> None:
    full = {name: rows for name, rows in found.items() if rows and name != _VERSION}
    if full:
        said = ", ".join(f"{name} : {rows}" for name, rows in full.items())
        raise DatabaseError(
            f"La base n'est pas vide ({said}) : donnez-en une vide, ou remplacez ce qui s'y "
            "trouve par --replace."
        )


def _compare(counted: dict[str, int], manifest: Manifest) -> None:
    wrong = [
        f"{name} : {counted.get(name, 0)} au lieu de {rows}"
        for name, rows in manifest.tables.items()
        if counted.get(name) != rows
    ]
    if wrong:
        raise BackupInvalid(
            f"Cette sauvegarde ne rend pas ce qu'elle annonce ({', '.join(wrong)}) : rien n'a "
            "changé."
        )


async def _erased(driver: asyncpg.Connection, tables: dict[str, int]) -> tuple[int, list[int]]:
    """Return the number after that of the last account there was, and those that there are.

    The others of the numbers below were erased.
    """
    if "users" not in tables:
        return 0, []
    [follows] = [one.follows for one in await catalog.sequences(driver) if one.table == "users"]
    return follows, [row["id"] for row in await driver.fetch("SELECT id FROM users")]
