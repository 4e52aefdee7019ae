"""What each account may use, as administrators said it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import select

from albert.api.database.engine import Database
from albert.api.features.limits.ledger import KINDS, Kind
from albert.api.features.limits.tables import Limit

UNLIMITED = -1
"""Said of an account, it lifts what its role says."""
ROLES = ("member", "admin")

Said = Mapping[Kind, int]


class Bound(NamedTuple):
    """A limit that holds for a call; ``model`` is empty where all its models count together."""

    model: str
    kind: Kind
    most: int


@dataclass(frozen=True, slots=True)
class Rules:
    """By role or account, and model (empty: all together), the numbers that were said."""

    roles: Mapping[tuple[str, str], Said] = field(default_factory=dict)
    users: Mapping[tuple[int, str], Said] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.roles or self.users)

    def bounds(self, user_id: int, *, is_admin: bool, model: str) -> tuple[Bound, ...]:
        """Return the limits of an account that calls a model; its own word before its role's."""
        role = ROLES[is_admin]
        found = []
        for scope in ("", model) if model else ("",):
            said = {**self.roles.get((role, scope), {}), **self.users.get((user_id, scope), {})}
            found += [Bound(scope, k, said[k]) for k in KINDS if said.get(k, UNLIMITED) >= 0]
        return tuple(found)


def rules_of(limits: Iterable[Limit]) -> Rules:
    roles: dict[tuple[str, str], Said] = {}
    users: dict[tuple[int, str], Said] = {}
    for one in limits:
        said = {kind: most for kind in KINDS if (most := getattr(one, kind)) is not None}
        if one.user_id is not None:
            users[one.user_id, one.model] = said
        elif one.role is not None:
            roles[one.role, one.model] = said
    return Rules(roles, users)


async def read_rules(database: Database) -> Rules:
    """Return all that was said; some rows for the roles, one or more for an account of its own."""
    async with database.session() as session:
        return rules_of(await session.scalars(select(Limit)))
