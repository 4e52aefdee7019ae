"""Calls kept as rows: in batches, off their path, and none lost when the service stops."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from albert.api.call import Call, Recorder
from albert.api.database.engine import Database
from albert.api.features.usage.spilling import Spill
from albert.domain.errors import DatabaseError
from albert.routing.table import Costs

_log = logging.getLogger(__name__)

BATCH = 300
"""Rows that are enough to be written at once."""
_EVERY = 1.0
"""Seconds for which a row waits for others, at most."""
_MOST = 20_000
"""Rows in memory while the database is away: some 15 MB; beyond, the oldest go to the disk."""
_LARGEST = 5_000
"""Rows in one statement."""
_CLOSING = 5.0
"""Seconds for which the database is waited for at the end; then the disk takes the rest."""
_AGAIN = 0.5

_ABSURD = 1 << 40
"""Tokens: more than any call has."""

CostsOf = Callable[[str], Costs | None]
"""The prices of a model, by its resolved name."""


class Row(NamedTuple):
    """One call, in the order of the columns; ``at`` in seconds since 1970."""

    id: str
    at: float
    user_id: int
    model: str
    operation: str
    stream: bool
    status: int
    latency: float
    queued: float
    first_token: float | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    replica: str
    attempts: int
    answered_by: str
    cost: float


_TYPES = (
    *("uuid", "double precision", "bigint", "text", "text", "boolean", "bigint"),
    *("double precision", "double precision", "double precision", "bigint", "bigint", "bigint"),
    *("text", "bigint", "text", "double precision"),
)
_COLUMNS = ", ".join(Row._fields)
_TYPED = ", ".join(f"{name} {kind}" for name, kind in zip(Row._fields, _TYPES, strict=True))
# Rows travel as one JSON text: an array a column costs the worker ten times as much.
# An account that was erased meanwhile has no usage; one that is, waits for us to end.
_INSERT = text(
    f"""
    WITH owners AS (
        SELECT id FROM users WHERE id = ANY(CAST(:owners AS bigint[])) ORDER BY id FOR KEY SHARE
    )
    INSERT INTO usage ({_COLUMNS})
    SELECT {_COLUMNS.replace("id, at,", "said.id, to_timestamp(at),", 1)}
    FROM json_to_recordset(CAST(:rows AS json)) AS said ({_TYPED})
    JOIN owners ON owners.id = said.user_id
    ON CONFLICT (id) DO NOTHING
    """  # noqa: S608 — our own constants
)


class UsageLog(Recorder):
    """One for each worker: opened after the database, closed before it.

    Rows are written each second, or as soon as there are enough for a batch: a worker
    that is killed with -9 loses those since the last batch. A worker that is stopped loses
    none: what the database does not take in time lies in ``spill``, and is written by the
    next one that opens.
    """

    def __init__(
        self,
        database: Database,
        costs: CostsOf,
        spill: Spill,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``now`` is in seconds since 1970."""
        self._database = database
        self._costs = costs
        self._spill = spill
        self._now = now
        self._rows: deque[Row] = deque()
        self._prefix = secrets.randbits(64) << 64
        self._number = 0
        self._enough = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many rows are not in the database yet."""
        return len(self._rows)

    async def open(self) -> None:
        self._task = asyncio.create_task(self._write_always())

    async def close(self) -> None:
        """Keep every row, in the database, or else on the disk."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING):
                while self._rows and not await self._write():  # noqa: ASYNC110 — nothing tells
                    await asyncio.sleep(_AGAIN)
        if self._rows:
            await self._to_disk(len(self._rows))

    def began(self, call: Call) -> None:
        """Nothing is kept of a call before it has ended."""

    def ended(self, call: Call) -> None:
        latency = max(0.0, call.ended - call.started)
        self._number += 1
        self._rows.append(
            Row(
                id=f"{self._prefix | self._number:032x}",
                at=self._now() - latency,
                user_id=call.principal.user_id,
                model=call.model,
                operation=call.operation,
                stream=call.stream,
                status=call.status,
                latency=latency,
                queued=call.queued,
                first_token=call.first - call.started if call.first else None,
                prompt_tokens=_count(call.prompt_tokens),
                completion_tokens=_count(call.completion_tokens),
                cached_tokens=_count(call.cached_tokens),
                replica=call.replica,
                attempts=call.attempts,
                answered_by=call.answered_by,
                cost=self._cost(call),
            )
        )
        if len(self._rows) >= BATCH:
            self._enough.set()

    def _cost(self, call: Call) -> float:
        costs = self._costs(call.answered_by or call.model)
        if costs is None:
            return 0.0
        prompt, completion = _count(call.prompt_tokens), _count(call.completion_tokens)
        return (prompt * costs.prompt + completion * costs.completion) / 1_000_000

    async def _write_always(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await self._enough.wait()
            self._enough.clear()
            if len(self._rows) > _MOST:
                await self._to_disk(len(self._rows) - _MOST // 2)
            if not await self._write():
                await asyncio.sleep(_AGAIN)
            elif self._spill.any():
                await self._from_disk()

    async def _write(self) -> bool:
        """Write what is there; say whether the database took it all."""
        while self._rows:
            batch = [row for row, _ in zip(self._rows, range(_LARGEST), strict=False)]
            if not await self._insert(batch):
                return False
            for _ in batch:
                self._rows.popleft()
        return True

    async def _insert(self, rows: Sequence[Row]) -> bool:
        said = orjson.dumps([dict(zip(Row._fields, row, strict=True)) for row in rows]).decode()
        owners = sorted({row.user_id for row in rows})
        try:
            async with self._database.session() as session:
                await session.execute(_INSERT, {"rows": said, "owners": owners})
        except (DatabaseError, DBAPIError) as error:
            _log.warning(
                "usage not written", extra={"action": "usage", "kind": type(error).__name__}
            )
            return False
        return True

    async def _to_disk(self, count: int) -> None:
        rows = [self._rows.popleft() for _ in range(count)]
        if not await asyncio.to_thread(self._spill.put, rows):
            _log.error("usage lost", extra={"action": "usage_lost", "rows": count})

    async def _from_disk(self) -> None:
        """Write what an earlier stop left; a file that the database does not take stays."""
        for path in await asyncio.to_thread(self._spill.claim):
            rows = [_row(said) for said in await asyncio.to_thread(self._spill.read, path)]
            parts = [rows[at : at + _LARGEST] for at in range(0, len(rows), _LARGEST)]
            if all([await self._insert(part) for part in parts]):
                await asyncio.to_thread(path.unlink, missing_ok=True)


def _count(said: int) -> int:
    """Keep a count within reason: it is what an engine said."""
    return min(max(0, said), _ABSURD)


def _row(said: Sequence[Any]) -> Row:
    return Row(*said)
