"""A password forgotten: a link by mail, good once and for an hour."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.database.engine import Database
from albert.api.features.accounts import attempts, mails, repository, sessions
from albert.api.features.accounts.passwords import check_form, hashed
from albert.api.features.accounts.tables import PasswordReset, User
from albert.api.keys import digest_of
from albert.api.mail.contract import Mailer
from albert.domain.errors import AccountNotFound, ResetRefused

_LIFE = timedelta(hours=1)
_MOST = 3
"""Links of an account that are good at once: nobody's letter box is filled by a stranger."""


async def mail_link(database: Database, mailer: Mailer, front_url: str, email: str) -> None:
    """Mail a link to an address, if it is that of an account that was not declined.

    Raises:
        MailNotSent, DatabaseUnavailable
    """
    async with database.session() as session:
        user = await repository.by_login(session, email, lock=True)
        token = await _link(session, user) if user is not None else ""
    if user is None or not token:
        return
    link = f"{front_url.rstrip('/')}/reset-password?token={token}"
    await mailer.send(mails.reset(user.email, user.username, link))


async def reset(database: Database, token: str, password: str) -> None:
    """Give the account of a link another password; every session of it ends.

    Raises:
        PasswordInvalid
        ResetRefused: the link is unknown, used, or older than an hour.
    """
    check_form(password)
    digest = digest_of(token)
    good = (PasswordReset.digest == digest, PasswordReset.expires_at > func.now())
    async with database.session() as session:
        if await session.scalar(select(PasswordReset.user_id).where(*good)) is None:
            raise ResetRefused  # before any work is done for a stranger
    kept = await hashed(password)
    async with database.session() as session:
        used = delete(PasswordReset).where(*good).returning(PasswordReset.user_id)
        user_id = await session.scalar(used)
        if user_id is None:
            raise ResetRefused
        await _change(session, user_id, kept)


async def set_password(database: Database, login: str, password: str) -> User:
    """Give an account another password, as its operator decides; every session of it ends.

    Raises:
        PasswordInvalid, AccountNotFound
    """
    kept = await hashed(password)
    async with database.session() as session:
        user = await repository.by_login(session, login, lock=True)
        if user is None:
            raise AccountNotFound
        await _change(session, user.id, kept)
        return user


async def _link(session: AsyncSession, user: User) -> str:
    """Return the token of a new link; nothing for who was declined or has links enough."""
    mine = PasswordReset.user_id == user.id
    await session.execute(delete(PasswordReset).where(mine, PasswordReset.expires_at < func.now()))
    links = await session.scalar(select(func.count()).select_from(PasswordReset).where(mine))
    if user.is_confirmed is False or (links or 0) >= _MOST:
        return ""
    token = secrets.token_urlsafe(32)
    expires = func.now() + _LIFE
    session.add(PasswordReset(digest=digest_of(token), user_id=user.id, expires_at=expires))
    return token


async def _change(session: AsyncSession, user_id: int, kept: str) -> None:
    user = await repository.set_password(session, user_id, kept)
    if user is None:
        raise ResetRefused
    await session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))
    await attempts.clear(session, user.username, user.email)
    await sessions.end_all(session, user_id)
