"""What administrators say of limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.database.engine import Database
from albert.api.features.accounts.tables import User
from albert.api.features.limits.counters import CHANNEL
from albert.api.features.limits.ledger import KINDS, Kind
from albert.api.features.limits.tables import Limit


async def say_limits(
    database: Database, whose: str | int, model: str, numbers: Mapping[Kind, int | None]
) -> None:
    """Say limits of a role, or of an account by its number; every worker hears of it.

    What is not in ``numbers`` stays as it was; ``None`` unsays, ``UNLIMITED`` lifts.
    """
    role, user_id = (whose, None) if isinstance(whose, str) else (None, whose)
    async with database.session() as session:
        mine = _of(role, user_id, model)
        await session.execute(_LOCK)
        if await session.scalar(select(Limit.id).where(mine)) is None:
            await session.execute(insert(Limit).values(role=role, user_id=user_id, model=model))
        said: dict[str, object] = dict(numbers.items())
        said["updated_at"] = func.now()
        await session.execute(update(Limit).where(mine).values(said))
        empty = [getattr(Limit, kind).is_(None) for kind in KINDS]
        await session.execute(delete(Limit).where(mine, *empty))
        await _tell(session)


async def unsay_limits(database: Database, whose: str | int) -> None:
    """Forget all that was said of a role or an account, of any model."""
    role, user_id = (whose, None) if isinstance(whose, str) else (None, whose)
    async with database.session() as session:
        await session.execute(delete(Limit).where(_of(role, user_id)))
        await _tell(session)


async def said_limits(database: Database) -> Sequence[tuple[Limit, str | None]]:
    """Return all that was said, with the names of accounts; roles first."""
    async with database.session() as session:
        rows = await session.execute(
            select(Limit, User.username)
            .outerjoin(User, User.id == Limit.user_id)
            .order_by(Limit.role.desc().nulls_last(), func.lower(User.username), Limit.model)
        )
        return [(limit, name) for limit, name in rows]


_LOCK = text("LOCK TABLE limits IN SHARE ROW EXCLUSIVE MODE")
"""One administrator at a time; workers read meanwhile."""


def _of(role: str | None, user_id: int | None, model: str | None = None) -> ColumnElement[bool]:
    whose = Limit.role == role if role is not None else Limit.user_id == user_id
    return whose if model is None else whose & (Limit.model == model)


async def _tell(session: AsyncSession) -> None:
    """Have every worker read the limits again, once the transaction is committed."""
    await session.execute(text("SELECT pg_notify(:channel, 'rules')"), {"channel": CHANNEL})
