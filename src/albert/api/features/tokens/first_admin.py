"""The first administrator, and the key that the command line bears."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.database.engine import Database
from albert.api.features.accounts import repository
from albert.api.features.accounts.repository import NewAccount
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


async def ensure_first_admin(database: Database, wanted: FirstAdmin, key_digest: str) -> bool:
    """Create the first administrator once, and make the key one of their tokens.

    Return whether the key opens: one that was revoked stays so. Processes that start
    together agree.

    Raises:
        AccountTaken: another account, no administrator's, has that name or that address.
        DatabaseUnavailable, DatabaseError
    """
    async with database.session() as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        admin = await _admin(session)
        if admin is None:
            account = NewAccount(
                username=wanted.username,
                email=wanted.email,
                password_hash=wanted.password_hash,
                is_confirmed=True,
                is_admin=True,
            )
            admin = await repository.add(session, account)
        kept = await session.get(ApiToken, key_digest)
        if kept is None:
            session.add(ApiToken(digest=key_digest, user_id=admin, name=f"cle-{key_digest[:8]}"))
        return kept is None or kept.revoked_at is None


async def _admin(session: AsyncSession) -> int | None:
    admins = (
        select(User.id).where(User.is_admin, User.is_confirmed.is_(True)).order_by(User.id).limit(1)
    )
    return await session.scalar(admins)
