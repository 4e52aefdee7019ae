"""Who calls, and what lets them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from starlette.types import Scope

from albert.asgi.exchange import header
from albert.domain.errors import AccountUnconfirmed, Unauthenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An account that calls, and by which of its tokens."""

    user_id: int
    username: str
    is_admin: bool = False
    is_confirmed: bool = True
    sign_in: str = ""
    """The session's id, where the token is one that ``sign_in`` gave."""


class Gate(Protocol):
    """Tells who bears a token."""

    async def admit(self, token: str) -> Principal:
        """Return the bearer, confirmed or not.

        Raises:
            Unauthenticated: the token is unknown, expired or revoked.
            DatabaseUnavailable: nobody can tell at the moment.
        """
        ...


def bearer(scope: Scope) -> str:
    """Return the token of the request.

    Raises:
        Unauthenticated: the header is missing or malformed.
    """
    scheme, _, token = header(scope, b"authorization").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isascii():
        raise Unauthenticated
    return token


async def require_member(scope: Scope, gate: Gate) -> Principal:
    """Return who calls.

    Raises:
        Unauthenticated: 401.
        AccountUnconfirmed: 403.
    """
    principal = await gate.admit(bearer(scope))
    if not principal.is_confirmed:
        raise AccountUnconfirmed
    return principal
