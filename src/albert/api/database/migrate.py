"""The schema, brought to the version of this code."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

LATEST = "head"
_LOCK = 0x414C4252
"""Of the advisory lock under which one process migrates while the others wait ("ALBR")."""


def migrate(connection: Connection, target: str = LATEST) -> None:
    """Bring the schema to ``target``, up or down; once, however many processes ask.

    The connection must be in a transaction: all of it happens, or nothing.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(files("albert.api") / "migrations"))
    config.attributes["connection"] = connection
    move = command.downgrade if target != LATEST and _is_behind(target) else command.upgrade
    move(config, target)


def _is_behind(target: str) -> bool:
    """Whether ``target`` is said the way down: ``base``, or ``-1``."""
    return target == "base" or target.startswith("-")
