"""Telling every worker, on every host, to read its routing table anew."""

from __future__ import annotations

from sqlalchemy import text

from albert.api.database.engine import Database

CHANNEL = "albert_models"


async def tell_reload(database: Database) -> None:
    """Have the workers that listen reload; those which cannot say so in their logs.

    Raises:
        DatabaseUnavailable, DatabaseError
    """
    async with database.session() as session:
        await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
