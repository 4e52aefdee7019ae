"""Whether a database is whole, and can be lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from albert.api.database import catalog
from albert.api.database.backup import programs
from albert.api.database.backup.archive import pieces, verify
from albert.api.database.backup.folder import kept
from albert.api.database.connecting import complaint, connected
from albert.api.database.migrate import versions
from albert.domain.errors import BackupInvalid, DatabaseError, HomeError
from albert.domain.mishaps import mishap

_OLDEST = 15
"""The first PostgreSQL that Albert is tested with."""
_EXTENSIONS = (
    "SELECT string_agg(extname || ' ' || extversion, ', ' ORDER BY extname) FROM pg_extension"
)
_INDEXES = "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``trouble`` asks for somebody."""

    said: str
    trouble: bool = False


async def check_database(uri: str, expected: Collection[str]) -> list[Finding]:
    """Look at the server, the schema, and whether the data hold together; change nothing.

    ``expected`` are the tables of this code.

    Raises:
        DatabaseUnavailable, DatabaseError
    """
    async with connected(uri) as connection:
        try:
            return [
                await _server(connection),
                Finding(f"extensions : {await connection.fetchval(_EXTENSIONS)}"),
                *await _schema(connection, expected),
                *await _sequences(connection),
                *await _references(connection),
            ]
        except asyncpg.PostgresError as error:
            said = complaint(error)
            raise DatabaseError(f"PostgreSQL ne laisse pas tout lire : {said}.") from error


async def check_backups(
    folder: Path, environment: str, *, at_most: timedelta | None = None
) -> list[Finding]:
    """Look at the last backup, byte by byte; older than ``at_most``, or missing, it is trouble."""
    found = kept(folder, environment)
    if not found:
        return [Finding(f"aucune sauvegarde dans {folder}", trouble=at_most is not None)]
    last = found[0]
    try:
        manifest = verify(last)
        listed = await programs.contents(pieces(last))
    except OSError as error:
        return [Finding(str(mishap(error)), trouble=True)]
    except (BackupInvalid, HomeError) as error:
        return [Finding(str(error), trouble=True)]
    data = sum(" TABLE DATA " in line for line in listed)
    age = datetime.now(UTC) - manifest.taken_at
    return [
        Finding(
            f"dernière sauvegarde : {last.name}, il y a {_duration(age)}, {manifest.rows} lignes, "
            f"schéma {manifest.schema_version}, empreinte juste",
            trouble=at_most is not None and age > at_most,
        ),
        Finding(
            f"pg_restore y lit {data} tables sur {len(manifest.tables)}",
            trouble=data != len(manifest.tables),
        ),
    ]


async def _server(connection: asyncpg.Connection) -> Finding:
    major, version = connection.get_server_version().major, connection.get_settings().server_version
    size = await connection.fetchval("SELECT pg_size_pretty(pg_database_size(current_database()))")
    said = f"PostgreSQL {version.split()[0]}, {size}"
    if major < _OLDEST:
        return Finding(f"{said} : Albert demande PostgreSQL {_OLDEST} ou plus récent", trouble=True)
    return Finding(said)


async def _schema(connection: asyncpg.Connection, expected: Collection[str]) -> list[Finding]:
    found, newest = await catalog.schema_version(connection), versions()[-1]
    if found < newest:
        said = f"schéma {found or 'absent'} au lieu de {newest} : lancez « albert db migrate »"
        return [Finding(said, trouble=True)]
    newer = f" ; ce code s'arrête à {newest} et s'en accommode" if found > newest else ""
    missing = set(expected) - set(await catalog.tables(connection))
    invalid = [row["name"] for row in await connection.fetch(_INDEXES)]
    findings = [Finding(f"schéma {found}{newer}")]
    if missing:
        findings.append(Finding(f"tables absentes : {', '.join(sorted(missing))}", trouble=True))
    if invalid:
        said = f"index à refaire par REINDEX : {', '.join(sorted(invalid))}"
        findings.append(Finding(said, trouble=True))
    return findings


async def _sequences(connection: asyncpg.Connection) -> list[Finding]:
    every = await catalog.sequences(connection)
    late = [one for one in every if one.is_late]
    if not late:
        return [Finding(f"{len(every)} séquences, toutes au-delà de leur table")]
    return [
        Finding(
            f"la séquence {one.name} donnera {one.follows}, déjà pris : "
            f"« SELECT setval('{one.name}', {one.highest}) »",
            trouble=True,
        )
        for one in late
    ]


async def _references(connection: asyncpg.Connection) -> list[Finding]:
    found = await catalog.orphans(connection)
    if not found:
        return [Finding("clés étrangères : aucun orphelin")]
    return [
        Finding(
            f"la clé {name} n'est pas validée"
            if number < 0
            else f"{number} lignes sans leur parent, par la clé {name}",
            trouble=True,
        )
        for name, number in found.items()
    ]


def _duration(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours / 24:.0f} jours" if hours >= 48 else f"{hours:.1f} h"
