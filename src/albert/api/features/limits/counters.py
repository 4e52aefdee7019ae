"""The ledger on PostgreSQL: one row for each limit of each account, one statement an exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, get_args

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from albert.api.database.engine import Database
from albert.api.database.listener import WORKERS
from albert.api.features.limits.ledger import (
    SHARE,
    Answer,
    Ask,
    Ears,
    Key,
    Kind,
    sorted_by_key,
)
from albert.domain.errors import DatabaseError

CHANNEL = "albert_limits"
"""Its notifications: ``rules``; ``back WORKER KEY``; ``freed KEY``, as ``_said`` writes keys."""

# Rows are locked in the order of their key, so that two workers never wait for each other;
# what a locked row says is its newest version, so each ask is answered as if alone.
# Nobody waits for the disk: a crash of the database's own machine forgets half a second.
_EXCHANGE = text(
    f"""
    WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    said AS (
        SELECT said.*, CASE kind
            WHEN 'streams' THEN to_timestamp(0)
            ELSE date_trunc(split_part(kind, '_', 2), now(), 'UTC')
        END AS starts
        FROM quick, unnest(
            CAST(:users AS bigint[]), CAST(:models AS text[]), CAST(:kinds AS text[]),
            CAST(:bounds AS bigint[]), CAST(:needs AS bigint[]), CAST(:leasts AS bigint[]),
            CAST(:aheads AS bigint[]), CAST(:backs AS bigint[]), CAST(:helds AS bigint[]),
            CAST(:spares AS bigint[]), CAST(:sinces AS bigint[]), CAST(:frees AS boolean[])
        ) AS said (user_id, model, kind, bound, need, least, ahead, back, held, spare, since, frees)
    ), locked AS (
        SELECT user_id, model, kind, bound, need, least, ahead, back, held, spare, frees,
            greatest(counter.starts, said.starts) AS starts,
            counter.starts >= said.starts AS current,
            to_timestamp(since) = greatest(counter.starts, said.starts) AS known,
            counter.granted, counter.holders
        FROM said JOIN limit_counters AS counter USING (user_id, model, kind)
        ORDER BY user_id, model, kind
        FOR UPDATE OF counter
    ), reckoned AS (
        SELECT user_id, model, kind, bound, need, least, ahead, spare, starts, frees,
            CASE WHEN current THEN granted ELSE 0 END - CASE
                WHEN kind = 'streams'
                    THEN coalesce(abs((holders ->> CAST(:me AS text))::bigint), 0) - held
                WHEN known THEN back
                ELSE 0
            END AS granted,
            CASE WHEN current THEN holders - CAST(:me AS text) ELSE '{{}}' END AS others,
            CASE WHEN known OR kind = 'streams' THEN held ELSE 0 END AS held
        FROM locked
    ), decided AS (
        SELECT *, bound - granted AS room, CASE
            WHEN need <= bound - granted
                THEN greatest(need, least(need + ahead, (bound - granted) / {SHARE}))
            WHEN need > 0 AND least <= bound - granted THEN bound - granted
            ELSE 0
        END AS given
        FROM reckoned
    ), kept AS (
        UPDATE limit_counters AS counter
        SET starts = decided.starts, granted = decided.granted + given,
            holders = CASE
                WHEN held + given = 0 THEN others
                WHEN spare + given > 0
                    THEN others || jsonb_build_object(CAST(:me AS text), held + given)
                ELSE others || jsonb_build_object(CAST(:me AS text), - held)
            END
        FROM decided
        WHERE (counter.user_id, counter.model, counter.kind)
            = (decided.user_id, decided.model, decided.kind)
        RETURNING decided.*
    )
    SELECT user_id, model, kind, given, room - given AS room,
        jsonb_path_exists(others, '$.* ? (@ > 0)') AS elsewhere,
        extract(epoch FROM starts)::bigint AS starts,
        CASE WHEN kind <> 'streams' THEN extract(
            epoch FROM starts + ('1 ' || split_part(kind, '_', 2))::interval - clock_timestamp()
        )::float END AS seconds,
        CASE WHEN given < need AND jsonb_path_exists(others, '$.* ? (@ > 0)') THEN pg_notify(
            '{CHANNEL}', concat_ws(' ', 'back', CAST(:me AS text), user_id, kind, model)
        ) END,
        CASE WHEN frees THEN pg_notify(
            '{CHANNEL}', concat_ws(' ', 'freed', user_id, kind, model)
        ) END
    FROM kept
    """  # noqa: S608 — our own constants
)
_OPEN = text(
    """
    WITH owners AS (
        SELECT id FROM users WHERE id = ANY(CAST(:users AS bigint[])) ORDER BY id FOR KEY SHARE
    )
    INSERT INTO limit_counters (user_id, model, kind, starts, granted, holders)
    SELECT owners.id, said.model, said.kind, to_timestamp(0), 0, '{}'
    FROM unnest(CAST(:users AS bigint[]), CAST(:models AS text[]), CAST(:kinds AS text[]))
        AS said (user_id, model, kind)
    JOIN owners ON owners.id = said.user_id
    ORDER BY said.user_id, said.model, said.kind
    ON CONFLICT DO NOTHING
    """
)
_BURY = text(
    """
    WITH living AS MATERIALIZED (
        SELECT objid::bigint::text AS worker
        FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE locktype = 'advisory' AND classid::bigint = :workers AND granted
            AND datname = current_database()
    ), locked AS (
        SELECT user_id, model, kind, dead.held, dead.workers
        FROM limit_counters AS counter
        JOIN unnest(CAST(:users AS bigint[]), CAST(:models AS text[]), CAST(:kinds AS text[]))
            AS said (user_id, model, kind) USING (user_id, model, kind)
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(abs(value::bigint)), 0) AS held, array_agg(key) AS workers
            FROM jsonb_each_text(counter.holders)
            WHERE key NOT IN (SELECT worker FROM living)
        ) AS dead
        ORDER BY user_id, model, kind
        FOR UPDATE OF counter
    )
    UPDATE limit_counters AS counter
    SET holders = holders - workers,
        granted = granted - CASE counter.kind WHEN 'streams' THEN held ELSE 0 END
    FROM locked
    WHERE (counter.user_id, counter.model, counter.kind)
        = (locked.user_id, locked.model, locked.kind) AND workers IS NOT NULL
    """
)


class PostgresLedger:
    """One for each worker; ``listen`` before the database is opened.

    A lease that a worker held when it was killed is lost for the window; streams that
    it served are free again once ``bury`` has seen that nobody holds its lock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def hears(self) -> bool:
        return self._database.listener.connected

    def listen(self, ears: Ears) -> None:
        me = str(self._database.listener.worker)

        def heard(said: str) -> None:
            word, _, rest = said.partition(" ")
            if word == "rules":
                ears.rules()
            elif word == "freed":
                ears.freed(_read(rest))
            elif word == "back":
                worker, _, key = rest.partition(" ")
                if worker != me:
                    ears.back(_read(key))

        self._database.listener.on(CHANNEL, heard)
        self._database.listener.on_change(lost=ears.lost, found=ears.rules)

    async def exchange(self, asks: Sequence[Ask]) -> Mapping[Key, Answer]:
        answers = await self._exchange(asks)
        missing = [ask for ask in asks if ask.key not in answers]
        if missing:
            await self._open([ask.key for ask in missing])
            answers |= await self._exchange(missing)
        return answers

    async def _exchange(self, asks: Sequence[Ask]) -> dict[Key, Answer]:
        columns = list(zip(*sorted_by_key(asks), strict=True))
        names = (
            "bounds",
            "needs",
            "leasts",
            "aheads",
            "backs",
            "helds",
            "spares",
            "sinces",
            "frees",
        )
        said = dict(zip(names, map(list, columns[1:]), strict=True))
        me = str(self._database.listener.worker)
        async with _refused_as_ours(), self._database.session() as session:
            rows = await session.execute(_EXCHANGE, {**_keys(columns[0]), **said, "me": me})
            return {
                Key(row.user_id, row.model, row.kind): Answer(
                    row.given,
                    row.room,
                    row.elsewhere,
                    row.starts,
                    float("inf") if row.seconds is None else row.seconds,
                )
                for row in rows
            }

    async def _open(self, keys: Sequence[Key]) -> None:
        """Make the rows of accounts that never had any, unless they are gone."""
        async with _refused_as_ours(), self._database.session() as session:
            await session.execute(_OPEN, _keys(keys))

    async def bury(self, keys: Collection[Key]) -> None:
        async with _refused_as_ours(), self._database.session() as session:
            await session.execute(_BURY, {**_keys(list(keys)), "workers": WORKERS})


@asynccontextmanager
async def _refused_as_ours() -> AsyncIterator[None]:
    """Turn what PostgreSQL refuses into our error."""
    try:
        yield
    except DBAPIError as error:
        raise DatabaseError from error


def _keys(keys: Sequence[Key]) -> dict[str, Any]:
    return {
        "users": [key.user_id for key in keys],
        "models": [key.model for key in keys],
        "kinds": [key.kind for key in keys],
    }


def _read(said: str) -> Key:
    """Read a key of a notification: the model comes last, as it may have spaces."""
    user, kind, *model = said.split(" ", 2)
    return Key(int(user), model[0] if model else "", _KINDS[kind])


_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
