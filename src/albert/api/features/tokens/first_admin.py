"""The first administrator, and the key that the command line bears."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.database.engine import Database
from albert.api.features.accounts.tables import User
from albert.api.features.tokens.tables import ApiToken

_LOCK = 0x41444D4E
"""Of the advisory lock under which one process does it ("ADMN")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAdmin:
    """Whom to create where there is no administrator; without a hash only the key opens it."""

    username: str
    email: str
    password_hash: str | None = None


async def ensure_first_admin(database: Database, wanted: FirstAdmin, key_digest: str) -> None:
    """Create the first administrator once, and make the key one of their tokens.

    A key that was revoked stays so. Processes that start together agree.

    Raises:
        DatabaseUnavailable, DatabaseError
    """
    async with database.session() as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        admin = await _admin(session)
        if admin is None:
            made = User(
                username=wanted.username,
                email=wanted.email,
                password_hash=wanted.password_hash,
                is_confirmed=True,
                is_admin=True,
            )
            session.add(made)
            await session.flush()
            admin = made.id
        if await session.get(ApiToken, key_digest) is None:
            session.add(ApiToken(digest=key_digest, user_id=admin, name=f"cle-{key_digest[:8]}"))


async def _admin(session: AsyncSession) -> int | None:
    admins = (
        select(User.id).where(User.is_admin, User.is_confirmed.is_(True)).order_by(User.id).limit(1)
    )
    return await session.scalar(admins)
