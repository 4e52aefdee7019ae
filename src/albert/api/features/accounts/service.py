"""Signing up, being accepted, signing in, writing to those in charge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.accounts import attempts, mails, repository, sessions
from albert.api.features.accounts.changes import forget
from albert.api.features.accounts.names import normal
from albert.api.features.accounts.passwords import hashed, verify_password
from albert.api.features.accounts.repository import NewAccount
from albert.api.features.accounts.tables import User
from albert.api.mail.contract import Mail, Mailer
from albert.domain.errors import (
    AccountDecided,
    AccountNotFound,
    CredentialsRefused,
    OrganizationUnknown,
    Unauthenticated,
)

KnowsOrganization = Callable[[str, str], Awaitable[bool]]
"""Whether the directory has that id with that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a user writes to those in charge."""

    subject: str
    text: str
    institution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A name or an address, and a password."""

    login: str
    password: str = field(repr=False)


async def sign_up(
    database: Database, account: NewAccount, password: str, knows: KnowsOrganization | None = None
) -> int:
    """Create an account with a password, and return its number.

    Raises:
        PasswordInvalid, OrganizationUnknown, AccountTaken
    """
    if not await _is_known(account.organization_id, account.organization_name, knows):
        raise OrganizationUnknown
    kept = await hashed(password)
    async with database.session() as session:
        return await repository.add(session, replace(account, password_hash=kept))


async def sign_in(database: Database, secret: str, given: Credentials, *, now: float) -> str:
    """Return the access token of a new session; ``now`` in seconds since 1970.

    The same work is done whether or not there is such an account.

    Raises:
        AttemptsExceeded: too many wrong passwords before; even the right one is refused.
        CredentialsRefused
    """
    login = normal(given.login)
    async with database.session() as session:
        await attempts.count(session, login)
        user = await repository.by_login(session, login)
    kept = user.password_hash if user is not None and user.is_confirmed else None
    right = await verify_password(kept, given.password)
    if user is None or kept is None or not right:
        raise CredentialsRefused
    async with database.session() as session:
        if not await repository.still_opens(session, user.id, kept):
            raise CredentialsRefused
        await attempts.clear(session, login)
        return await sessions.begin(session, secret, user.id, now=now)


async def read(database: Database, principal: Principal) -> User:
    """Return the caller's account.

    Raises:
        Unauthenticated: it was erased meanwhile.
    """
    async with database.session() as session:
        user = await repository.one(session, principal.user_id)
    if user is None:
        raise Unauthenticated
    return user


async def pending(database: Database, *, skip: int, limit: int) -> Sequence[User]:
    async with database.session() as session:
        return await repository.pending(session, skip=skip, limit=limit)


async def decide(database: Database, login: str, *, accepted: bool) -> User:
    """Accept or decline an account, once.

    Raises:
        AccountNotFound, AccountDecided
    """
    async with database.session() as session:
        user = await repository.decide(session, login, accepted=accepted)
        if user is None:
            known = await repository.by_login(session, login)
            raise AccountDecided if known is not None else AccountNotFound
        await forget(session, user.id)
        return user


def decision_mail(user: User, *, front_url: str, contact: str) -> Mail:
    """Return what tells a user of the decision."""
    if user.is_confirmed:
        return mails.accepted(user.email, user.username, front_url)
    return mails.declined(user.email, user.username, contact)


async def write_to_us(
    database: Database, mailer: Mailer, principal: Principal, message: Message, *, to: str
) -> None:
    """Hand a user's message to those in charge.

    Raises:
        MailNotSent
    """
    user = await read(database, principal)
    await mailer.send(
        mails.contact(
            to,
            username=user.username,
            email=user.email,
            subject=message.subject,
            text=message.text,
            institution=message.institution,
        )
    )


async def _is_known(
    identifier: str | None, name: str | None, knows: KnowsOrganization | None
) -> bool:
    if identifier is None or name is None:
        return True
    return knows is not None and await knows(identifier, name)
