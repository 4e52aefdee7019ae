"""API tokens of one's own, and the accounts that an admin decides on."""

from __future__ import annotations

from albert.client.connection import Connection, segment
from albert.client.forms import Account, ApiToken


class AsyncTokens:
    """One's own API tokens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, name: str) -> str:
        """Create a token and return its secret, which is shown this once.

        ``name`` is 1 to 100 letters, digits and ``:_.-``.
        """
        return await self._connection.read(str, "POST", "/user/token/new", {"name": name})

    async def delete(self, name: str) -> None:
        """Kill the token of that name."""
        await self._connection.ask("DELETE", f"/user/token/{segment(name)}")

    async def list(self) -> list[ApiToken]:
        return await self._connection.read(list[ApiToken], "GET", "/user/token")


class AsyncUsers:
    """Accounts to be decided on: for admins."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def pending(self, *, skip: int = 0, limit: int = 1000) -> list[Account]:
        """Return the accounts neither accepted nor declined."""
        query = {"skip": skip, "limit": limit}
        return await self._connection.read(list[Account], "GET", "/users/pending", query=query)

    async def confirm(self, email: str, *, accepted: bool = True) -> None:
        """Accept an account, or decline it; its owner receives a mail."""
        body = {"email": email, "is_confirmed": accepted}
        await self._connection.ask("POST", "/user/confirm", body)
