"""What other workers must know of accounts, told as it changes."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

CHANNEL = "albert_access"
"""Its notifications say whose tokens are to be read again: an account's number."""


async def forget(session: AsyncSession, user_id: int) -> None:
    """Have every worker read the account's tokens again, once the transaction is committed."""
    await session.execute(
        text("SELECT pg_notify(:channel, :user)"), {"channel": CHANNEL, "user": str(user_id)}
    )
