"""Who bears a token, from the database; remembered until it says otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import jwt
from sqlalchemy import bindparam, func, select

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.accounts.changes import CHANNEL
from albert.api.features.accounts.sessions import ALGORITHM
from albert.api.features.accounts.tables import SignIn, User
from albert.api.features.tokens.tables import ApiToken
from albert.api.keys import digest_of
from albert.domain.errors import DatabaseUnavailable, Unauthenticated

_MOST = 10_000
"""Tokens remembered."""
_WITHOUT_DATABASE = 600.0
"""Seconds for which a token that was good stays so while the database is away: nobody can
revoke one meanwhile, and answers that need no database go on."""

_FIELDS = (User.id, User.username, User.is_admin, User.is_confirmed)
_BY_TOKEN = (
    select(*_FIELDS)
    .join(ApiToken, ApiToken.user_id == User.id)
    .where(ApiToken.digest == bindparam("digest"), ApiToken.revoked_at.is_(None))
)
_BY_SIGN_IN = (
    select(*_FIELDS)
    .join(SignIn, SignIn.user_id == User.id)
    .where(SignIn.id == bindparam("sign_in"), SignIn.expires_at > func.now())
)


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    seen: float
    expires: float
    """On the clock of the machine, like the JWT's own date."""


class DatabaseGate:
    """One for each worker. A revoked token is refused as soon as the notification comes.

    While notifications cannot be heard, every token is read from the database.
    """

    def __init__(
        self, database: Database, secret: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._secret = secret
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._changes = 0
        self.hits = self.misses = 0
        """Tokens that were known, and those that the database was asked."""
        database.listener.on(CHANNEL, self._changed)
        database.listener.on_change(lost=lambda: None, found=self._found)

    async def admit(self, token: str) -> Principal:
        digest = digest_of(token)
        known = self._known.get(digest)
        now = self._clock()
        if known is not None and now >= known.expires:
            raise Unauthenticated
        if known is not None and self._database.listener.connected:
            self.hits += 1
            return known.principal
        self.misses += 1
        changes = self._changes
        try:
            principal, expires = await self._read(token, digest)
        except DatabaseUnavailable:
            if known is not None and now - known.seen < _WITHOUT_DATABASE:
                return known.principal
            raise
        except Unauthenticated:
            self._known.pop(digest, None)
            raise
        if changes == self._changes:  # else what was read may be older than what changed
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[digest] = _Known(principal, now, expires)
        return principal

    async def _read(self, token: str, digest: str) -> tuple[Principal, float]:
        sign_in, expires = self._session_of(token)
        async with self._database.session() as session:
            found = (
                await session.execute(_BY_SIGN_IN, {"sign_in": sign_in})
                if sign_in
                else await session.execute(_BY_TOKEN, {"digest": digest})
            )
            row = found.one_or_none()
        if row is None:
            raise Unauthenticated
        user_id, username, is_admin, is_confirmed = row
        principal = Principal(
            user_id=user_id,
            username=username,
            is_admin=is_admin,
            is_confirmed=is_confirmed is True,
            sign_in=sign_in,
        )
        return principal, expires

    def _session_of(self, token: str) -> tuple[str, float]:
        """Return the session's id and end where the token is a JWT of ours; else neither."""
        if token.count(".") != 2:
            return "", float("inf")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                options={"require": ["exp", "jti", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated from error
        return str(claims["jti"]), float(claims["exp"])

    def _changed(self, user: str) -> None:
        self._changes += 1
        stale = [key for key, one in self._known.items() if str(one.principal.user_id) == user]
        for key in stale:
            del self._known[key]

    def _found(self) -> None:
        """Notifications were missed: nothing that was known is sure."""
        self._changes += 1
        self._known.clear()
