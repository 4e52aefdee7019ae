"""Usage summed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Row,
    Select,
    SQLColumnExpression,
    cast,
    func,
    literal_column,
    select,
    tuple_,
)

from albert.api.database.engine import Database
from albert.api.features.accounts.tables import User
from albert.api.features.usage.asked import Asked, Group
from albert.api.features.usage.tables import Usage


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds; ``None`` where nothing was measured."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Sums of the calls that have the same ``keys``: day, model, and so on."""

    keys: dict[Group, str]
    requests: int
    errors: int
    streams: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost: float
    latency: Spread
    queued: Spread
    first_token: Spread


@dataclass(frozen=True, slots=True)
class Report:
    lines: Sequence[Line]
    total: Line


_COLUMNS: dict[Group, SQLColumnExpression[Any]] = {
    "day": cast(func.timezone("UTC", Usage.at), Date),
    "model": Usage.model,
    "user": User.username,
    "operation": Usage.operation,
    "status": Usage.status,
}
_HALF_AND_MOST: ColumnElement[Any] = literal_column("ARRAY[0.5, 0.95]")


async def report(database: Database, asked: Asked, user_id: int | None) -> Report:
    """Sum up the usage of an account, or of everybody, in one look at it.

    Raises:
        DatabaseUnavailable, DatabaseError
    """
    async with database.session() as session:
        rows = (await session.execute(_statement(asked, user_id))).all()
    lines = [_line(row, asked.by) for row in rows if not row.whole]
    [total] = [_line(row, ()) for row in rows if row.whole]
    return Report(lines, total)


def _statement(asked: Asked, user_id: int | None) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [_COLUMNS[name].label(f"by_{name}") for name in asked.by]
    plain = [_COLUMNS[name] for name in asked.by]
    whole = func.grouping(*plain) == 2 ** len(plain) - 1
    chosen = (
        select(
            *columns,
            whole.label("whole"),
            func.count(Usage.id).label("requests"),
            func.count(Usage.id).filter(Usage.status >= 400).label("errors"),
            func.count(Usage.id).filter(Usage.stream).label("streams"),
            *(
                func.coalesce(func.sum(one), 0).label(one.key)
                for one in (Usage.prompt_tokens, Usage.completion_tokens, Usage.cached_tokens)
            ),
            func.coalesce(func.sum(Usage.cost), 0.0).label("cost"),
            *(
                func.percentile_cont(_HALF_AND_MOST).within_group(one.asc()).label(one.key)
                for one in (Usage.latency, Usage.queued, Usage.first_token)
            ),
        )
        .join(User, User.id == Usage.user_id)
        .where(Usage.at >= asked.since, Usage.at < asked.until)
        .group_by(func.grouping_sets(tuple_(*plain), literal_column("()")))
        .order_by(whole, *plain)
    )
    if asked.model:
        chosen = chosen.where(Usage.model == asked.model)
    if user_id is not None:
        chosen = chosen.where(Usage.user_id == user_id)
    return chosen


def _line(row: Row[Any], by: Sequence[Group]) -> Line:
    return Line(
        keys={name: _said(getattr(row, f"by_{name}")) for name in by},
        requests=row.requests,
        errors=row.errors,
        streams=row.streams,
        prompt_tokens=int(row.prompt_tokens),
        completion_tokens=int(row.completion_tokens),
        cached_tokens=int(row.cached_tokens),
        cost=round(row.cost, 9),
        latency=_spread(row.latency),
        queued=_spread(row.queued),
        first_token=_spread(row.first_token),
    )


def _said(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _spread(found: Sequence[float] | None) -> Spread:
    return Spread(*(round(one, 6) for one in found)) if found else Spread(None, None)
