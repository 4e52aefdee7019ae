"""API tokens, as they are kept."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.features.accounts.tables import User
from albert.api.features.tokens.tables import ApiToken

_LIVE = ApiToken.revoked_at.is_(None)


async def every(session: AsyncSession, user_id: int) -> Sequence[ApiToken]:
    """Return the tokens that open an account, the oldest first."""
    mine = select(ApiToken).where(ApiToken.user_id == user_id, _LIVE)
    return (await session.scalars(mine.order_by(ApiToken.created_at, ApiToken.name))).all()


async def count(session: AsyncSession, user_id: int) -> int:
    """Return how many there are; no other is made before the end of the transaction."""
    await session.execute(select(User.id).where(User.id == user_id).with_for_update())
    mine = select(func.count()).select_from(ApiToken).where(ApiToken.user_id == user_id, _LIVE)
    return await session.scalar(mine) or 0


async def add(session: AsyncSession, user_id: int, *, name: str, digest: str) -> bool:
    """Keep a token; whether its name was free."""
    values = {"user_id": user_id, "name": name, "digest": digest}
    statement = insert(ApiToken).values(values).on_conflict_do_nothing()
    return await session.scalar(statement.returning(ApiToken.digest)) is not None


async def revoke(
    session: AsyncSession, user_id: int, *, digest: str = "", name: str = ""
) -> str | None:
    """Revoke a token by its digest, or else by its name; return its name, if there was one."""
    mine = (ApiToken.user_id == user_id, _LIVE)
    for which in (ApiToken.digest == digest, ApiToken.name == name):
        statement = update(ApiToken).where(*mine, which).values(revoked_at=func.now())
        revoked: str | None = await session.scalar(statement.returning(ApiToken.name))
        if revoked is not None:
            return revoked
    return None
