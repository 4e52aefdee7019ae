"""The schema, brought to the version of this code."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.resources import files

from sqlalchemy import Connection, text

_log = logging.getLogger(__name__)

LATEST = "head"
_MIGRATIONS = files("albert.api") / "migrations"
SCHEMA_LOCK = 0x414C4252
"""Of the advisory lock under which one process migrates while the others wait ("ALBR")."""


@dataclass(frozen=True, slots=True)
class Step:
    """One version of the schema, and what it brings."""

    version: str
    brings: str
    """In French: administrators read it before they let it happen."""


def migrate(connection: Connection, target: str = LATEST) -> None:
    """Bring the schema to ``target``, up or down; once, however many processes ask.

    A schema of a later code is left as it is: migrations keep what the code before them
    needs, so that one may go back to it. The connection must be in a transaction: all
    of it happens, or nothing.
    """
    if target == LATEST and is_current(connection):
        return
    lock(connection)
    if target == LATEST and is_current(connection):
        return
    from alembic import command  # and the quarter of a second that it takes, where it is needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    move = command.downgrade if target != LATEST and _is_behind(target) else command.upgrade
    move(config, target)


def lock(connection: Connection) -> None:
    """Wait until no other process changes the schema, and keep them out until the end."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SCHEMA_LOCK})


def version(connection: Connection) -> str:
    """Return the version of the schema; empty where there is none."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return ""
    return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def versions() -> list[str]:
    """Return the versions that this code knows, oldest first, by the names of their files."""
    found = (file.name for file in (_MIGRATIONS / "versions").iterdir())
    return sorted(name[1:5] for name in found if name[:1] == "v")


def steps(after: str, target: str = LATEST) -> list[Step]:
    """Return what leads from the version ``after`` to ``target``, in order."""
    from alembic.script import ScriptDirectory

    last = versions()[-1] if target == LATEST else target
    every = reversed(list(ScriptDirectory(str(_MIGRATIONS)).walk_revisions()))
    return [Step(one.revision, one.module.BRINGS) for one in every if after < one.revision <= last]


def is_current(connection: Connection) -> bool:
    """Whether nothing is to be done; a schema of a later code is told to the log."""
    found, newest = version(connection), versions()[-1]
    if found > newest:
        _log.warning(
            "schema is newer than this code",
            extra={"action": "schema_newer", "schema": found, "code": newest},
        )
    return found >= newest


def _is_behind(target: str) -> bool:
    """Whether ``target`` is said the way down: ``base``, or ``-1``."""
    return target == "base" or target.startswith("-")
