"""A backup, taken while the service answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from albert import __version__
from albert.api.database import catalog
from albert.api.database.backup import programs
from albert.api.database.backup.archive import Writing
from albert.api.database.backup.folder import place
from albert.api.database.backup.manifest import FORMAT, Manifest
from albert.api.database.connecting import Address, complaint, connected
from albert.domain.errors import DatabaseError


@dataclass(frozen=True, slots=True)
class Taken:
    path: Path
    manifest: Manifest


async def take(
    uri: str, target: Path, *, environment: str, tell: Callable[[int], None] = lambda _size: None
) -> Taken:
    """Write the whole database, as it is at one moment, to a file.

    ``target`` is a folder, or the file itself. ``tell`` is given the bytes written. Counts
    and data come from one snapshot: what others write meanwhile is in neither.

    Raises:
        DatabaseUnavailable
        DatabaseError: PostgreSQL refused, or has no schema of ours.
        HomeError: the file exists already.
        OSError: it cannot be written.
    """
    async with (
        connected(uri) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        manifest = await _look(connection, environment)
        snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
        path = place(target, environment, manifest.taken_at)
        with Writing(path) as writing:
            async with aclosing(programs.dump(Address.of(uri), snapshot)) as pieces:
                async for piece in pieces:
                    writing.write(piece)
                    tell(writing.size)
            dump = {"size": writing.size, "sha256": writing.sha256}
            manifest = manifest.model_copy(update=dump)
            writing.finish(manifest)
    return Taken(path, manifest)


async def _look(connection: asyncpg.Connection, environment: str) -> Manifest:
    """Return what the snapshot holds; its dump is still to be measured."""
    taken_at = datetime.now(UTC)  # the snapshot is that of the first question
    try:
        schema = await catalog.schema_version(connection)
        tables = await catalog.counts(connection)
    except asyncpg.PostgresError as error:
        raise DatabaseError(f"PostgreSQL ne laisse pas tout lire : {complaint(error)}.") from error
    if not schema:
        raise DatabaseError(
            "La base n'a rien d'Albert : il n'y a rien à sauvegarder ; « albert db migrate » "
            "y met le schéma."
        )
    return Manifest(
        format=FORMAT,
        albert=__version__,
        environment=environment,
        taken_at=taken_at,
        postgres=connection.get_settings().server_version,
        schema_version=schema,
        tables=tables,
        size=0,
        sha256="",
    )
