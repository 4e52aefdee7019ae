"""Making, listing and ending what opens the API."""

from __future__ import annotations

import re
from collections.abc import Sequence

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.accounts import sessions
from albert.api.features.accounts.changes import forget
from albert.api.features.tokens import repository
from albert.api.features.tokens.schemas import NAME
from albert.api.features.tokens.tables import ApiToken
from albert.api.keys import digest_of, new_key
from albert.domain.errors import AccountError, TokenNameTaken, TokenNotFound

MOST = 100
"""Tokens of one account."""


async def every(database: Database, user_id: int) -> Sequence[ApiToken]:
    async with database.session() as session:
        return await repository.every(session, user_id)


async def create(database: Database, user_id: int, name: str) -> str:
    """Return a new token, which is known to nobody else.

    Raises:
        TokenNameTaken
        AccountError: the account has as many as it may.
    """
    token = new_key()
    async with database.session() as session:
        if await repository.count(session, user_id) >= MOST:
            raise AccountError(f"Un compte a {MOST} jetons au plus : supprimez-en un d'abord.")
        if not await repository.add(session, user_id, name=name, digest=digest_of(token)):
            raise TokenNameTaken
    return token


def checked_name(name: str) -> str:
    """Return the name, if a token may bear it; the API's own form says so with a 422.

    Raises:
        AccountError
    """
    if not re.fullmatch(NAME, name):
        raise AccountError("Le nom d'un jeton a de 1 à 100 lettres, chiffres ou signes parmi :_.-")
    return name


async def revoke(database: Database, user_id: int, said: str) -> str:
    """Revoke the token that was said, or the one of that name, on every worker; return its name.

    Raises:
        TokenNotFound
    """
    if not re.fullmatch(NAME, said):  # a token has the letters of a name
        raise TokenNotFound
    async with database.session() as session:
        name = await repository.revoke(session, user_id, digest=digest_of(said), name=said)
        if name is None:
            raise TokenNotFound
        await forget(session, user_id)
    return name


async def sign_out(database: Database, caller: Principal, token: str) -> None:
    """Kill the token that the caller bears: the session's, or the API token itself."""
    async with database.session() as session:
        if caller.sign_in:
            await sessions.end(session, caller.user_id, caller.sign_in)
        else:
            await repository.revoke(session, caller.user_id, digest=digest_of(token))
            await forget(session, caller.user_id)
