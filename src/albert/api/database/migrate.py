"""The schema, brought to the version of this code."""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import Connection, text

LATEST = "head"
_MIGRATIONS = files("albert.api") / "migrations"
_LOCK = 0x414C4252
"""Of the advisory lock under which one process migrates while the others wait ("ALBR")."""


def migrate(connection: Connection, target: str = LATEST) -> None:
    """Bring the schema to ``target``, up or down; once, however many processes ask.

    The connection must be in a transaction: all of it happens, or nothing.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if target == LATEST and _is_current(connection):
        return
    from alembic import command  # and the quarter of a second that it takes, where it is needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    move = command.downgrade if target != LATEST and _is_behind(target) else command.upgrade
    move(config, target)


def _is_current(connection: Connection) -> bool:
    """Whether the schema is at the last of our versions, by the names of their files."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return False
    newest = max(
        file.name[1:5] for file in (_MIGRATIONS / "versions").iterdir() if file.name[:1] == "v"
    )
    return bool(connection.scalar(text("SELECT version_num FROM alembic_version")) == newest)


def _is_behind(target: str) -> bool:
    """Whether ``target`` is said the way down: ``base``, or ``-1``."""
    return target == "base" or target.startswith("-")
