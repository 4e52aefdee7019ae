"""Accounts, as they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.features.accounts.tables import User
from albert.domain.errors import AccountTaken


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to be; ``is_confirmed`` is ``None`` until an admin decides."""

    username: str
    email: str
    password_hash: str | None = field(repr=False)
    is_confirmed: bool | None = None
    is_admin: bool = False
    organization_id: str | None = None
    organization_name: str | None = None
    accept_cookie: bool = False
    accept_retrain: bool = False


async def add(session: AsyncSession, account: NewAccount) -> int:
    """Create an account, and return its number.

    Raises:
        AccountTaken: whatever the case of its letters.
    """
    statement = insert(User).values(asdict(account)).on_conflict_do_nothing().returning(User.id)
    made: int | None = await session.scalar(statement)
    if made is None:
        raise AccountTaken
    return made


async def one(session: AsyncSession, user_id: int) -> User | None:
    return await session.get(User, user_id)


async def by_login(session: AsyncSession, login: str, *, lock: bool = False) -> User | None:
    """Return the account of a name, or of an address: names have no ``@``.

    ``lock`` has others that lock it wait for the end of the transaction.
    """
    found = select(User).where(_is(login))
    user: User | None = await session.scalar(found.with_for_update() if lock else found)
    return user


async def pending(session: AsyncSession, *, skip: int = 0, limit: int = 1000) -> Sequence[User]:
    """Return accounts that wait for a decision, the oldest first."""
    waiting = select(User).where(User.is_confirmed.is_(None)).order_by(User.id)
    return (await session.scalars(waiting.offset(skip).limit(limit))).all()


async def every(session: AsyncSession) -> Sequence[User]:
    return (await session.scalars(select(User).order_by(User.id))).all()


async def decide(session: AsyncSession, login: str, *, accepted: bool) -> User | None:
    """Accept or decline an account that waits; ``None`` where none of that login does."""
    statement = (
        update(User)
        .where(_is(login), User.is_confirmed.is_(None))
        .values(is_confirmed=accepted, updated_at=func.now())
        .returning(User)
    )
    user: User | None = await session.scalar(statement)
    return user


async def still_opens(session: AsyncSession, user_id: int, password_hash: str) -> bool:
    """Whether the account is still confirmed and has that password, held so to the end."""
    found = await session.scalar(
        select(User.id)
        .where(User.id == user_id, User.password_hash == password_hash, User.is_confirmed.is_(True))
        .with_for_update(read=True)
    )
    return found is not None


async def set_password(session: AsyncSession, user_id: int, password_hash: str) -> User | None:
    statement = (
        update(User)
        .where(User.id == user_id)
        .values(password_hash=password_hash, updated_at=func.now())
        .returning(User)
    )
    user: User | None = await session.scalar(statement)
    return user


def _is(login: str) -> ColumnElement[bool]:
    column = User.email if "@" in login else User.username
    return func.lower(column) == func.lower(login)
