"""GET usage, under /v1: what one has used, and for administrators, what others have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

import orjson

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.accounts import repository
from albert.api.features.accounts.names import normal
from albert.api.features.usage.asked import EVERYBODY, asked
from albert.api.features.usage.report import Line, report
from albert.asgi.exchange import Header, Reply
from albert.domain.errors import AccountNotFound, AdminOnly

_NO_STORE: tuple[Header, ...] = ((b"cache-control", b"no-store"),)


class UsageReport:
    """The handler of ``GET /v1/usage``; ``query`` is the scope's ``query_string``."""

    def __init__(
        self, database: Database, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._now = now

    async def __call__(self, principal: Principal, query: bytes, reply: Reply) -> None:
        """Answer.

        Raises:
            Problem: 400, a parameter is wrong.
            AdminOnly: a member asks for the usage of others.
            AccountNotFound, DatabaseError
        """
        wanted = asked(query, self._now())
        user_id = await self._whose(principal, wanted.user)
        found = await report(self._database, wanted, user_id)
        body = {
            "object": "usage.report",
            "from": wanted.since,
            "to": wanted.until,
            "group_by": wanted.by,
            "data": [_told(line) for line in found.lines],
            "total": _told(found.total),
        }
        await reply.json(orjson.dumps(body), headers=_NO_STORE)

    async def _whose(self, principal: Principal, said: str) -> int | None:
        """Return the account that is asked for, ``None`` for all of them."""
        if not said or normal(said).lower() == principal.username.lower():
            return principal.user_id
        if not principal.is_admin:
            raise AdminOnly
        return await account(self._database, said)


async def account(database: Database, said: str) -> int | None:
    """Return the number of an account by its name or address; ``None`` for everybody.

    Raises:
        AccountNotFound
    """
    if said == EVERYBODY:
        return None
    async with database.session() as session:
        user = await repository.by_login(session, normal(said))
    if user is None:
        raise AccountNotFound
    return user.id


def _told(line: Line) -> dict[str, object]:
    fields = asdict(line)
    keys, cost = fields.pop("keys"), fields.pop("cost")
    return {**keys, **fields, "cost_euros": cost}
