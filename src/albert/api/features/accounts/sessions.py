"""Sessions: what ``sign_in`` opens and ``sign_out`` ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt
from sqlalchemy import delete, func
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.features.accounts.changes import forget
from albert.api.features.accounts.tables import SignIn

ALGORITHM = "HS256"
LIFE = 24 * 3600
"""Seconds that a session lasts, by contract."""


def sign(secret: str, user_id: int, sign_in: str, *, now: float) -> str:
    """Return the access token of a session, and of it alone."""
    claims = {"sub": str(user_id), "jti": sign_in, "iat": int(now), "exp": int(now) + LIFE}
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


async def begin(session: AsyncSession, secret: str, user_id: int, *, now: float) -> str:
    """Open a session, and return its access token; the user's old ones are swept away."""
    await session.execute(
        delete(SignIn).where(SignIn.user_id == user_id, SignIn.expires_at < func.now())
    )
    made = uuid4()
    expires = datetime.fromtimestamp(int(now), UTC) + timedelta(seconds=LIFE)
    session.add(SignIn(id=made, user_id=user_id, expires_at=expires))
    return sign(secret, user_id, str(made), now=now)


async def end(session: AsyncSession, user_id: int, sign_in: str) -> None:
    """End one session, on every worker."""
    await session.execute(
        delete(SignIn).where(SignIn.id == UUID(sign_in), SignIn.user_id == user_id)
    )
    await forget(session, user_id)


async def end_all(session: AsyncSession, user_id: int) -> None:
    """End every session of an account, on every worker."""
    await session.execute(delete(SignIn).where(SignIn.user_id == user_id))
    await forget(session, user_id)
