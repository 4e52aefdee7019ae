"""Usage on a real PostgreSQL: what is written, what is lost, what is told."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select, text
from starlette.types import Message

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.database.engine import Database
from albert.api.features.usage.recording import BATCH, UsageLog
from albert.api.features.usage.spilling import Spill
from albert.api.features.usage.tables import Usage
from albert.api.features.usage.telling import UsageReport
from albert.asgi.exchange import Reply
from albert.domain.errors import AccountNotFound, AdminOnly
from albert.routing.table import Costs
from albert.serving.embedded_postgres import EmbeddedPostgres
from albert.testing.queries import queries
from albert.testing.services import NOWHERE, enrol

pytestmark = pytest.mark.integration

COSTS = {"mistral": Costs(prompt=2.0, completion=6.0)}
CAMILLE = Principal(user_id=1, username="camille")
NEIGHBOUR = Principal(user_id=2, username="voisine")
CHIEF = Principal(user_id=3, username="chef", is_admin=True)
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def a_call(seconds: float = 0.5, **said: Any) -> Call:  # noqa: ANN401 — fields of Call
    fields: dict[str, Any] = {
        "request_id": "r",
        "principal": CAMILLE,
        "model": "mistral",
        "operation": "chat/completions",
        "started": 100.0,
        "first": 100.0 + seconds / 5,
        "ended": 100.0 + seconds,
        "status": 200,
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "cached_tokens": 10,
        "replica": "http://127.0.0.1:8000/v1",
        "attempts": 1,
    }
    return Call(**fields | said)


class Desk:
    """A usage log and its database, on a day of ours."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.database = Database(uri)
        self.now = NOW
        self.log = UsageLog(
            self.database, COSTS.get, Spill(folder), now=lambda: self.now.timestamp()
        )
        self.report = UsageReport(self.database, now=lambda: NOW)

    async def rows(self) -> list[Usage]:
        async with self.database.session() as session:
            return list(await session.scalars(select(Usage).order_by(Usage.id)))

    async def written(self) -> None:
        async with asyncio.timeout(20):
            while self.log.waiting:  # noqa: ASYNC110 — to watch
                await asyncio.sleep(0.01)

    async def told(self, principal: Principal, query: str = "") -> Any:  # noqa: ANN401 — JSON
        heard: list[Message] = []

        async def send(message: Message) -> None:
            heard.append(message)

        await self.report(principal, query.encode(), Reply(send))
        assert heard[0]["status"] == 200
        return orjson.loads(heard[1]["body"])


@asynccontextmanager
async def desk(uri: str, folder: Path) -> AsyncIterator[Desk]:
    one = Desk(uri, folder)
    await one.database.open()
    await one.log.open()
    try:
        for name in ("camille", "voisine"):
            await enrol(one.database, name)
        await enrol(one.database, "chef", admin=True)
        yield one
    finally:
        await one.log.close()
        await one.database.close()


def run(uri: str, folder: Path, story: Callable[[Desk], Awaitable[None]]) -> None:
    async def told() -> None:
        async with desk(uri, folder) as one:
            await story(one)

    asyncio.run(told())


def test_a_call_is_a_row_with_what_it_took_and_cost(database_uri: str, tmp_path: Path) -> None:
    async def story(one: Desk) -> None:
        one.log.ended(a_call(2.0, stream=True, queued=0.25, answered_by=""))
        await one.written()
        [row] = await one.rows()
        assert (row.user_id, row.model, row.operation) == (1, "mistral", "chat/completions")
        assert (row.stream, row.status, row.latency, row.queued) == (True, 200, 2.0, 0.25)
        assert row.first_token == pytest.approx(0.4)
        assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (1000, 500, 10)
        assert row.cost == pytest.approx(0.005)  # 1000 x 2 EUR and 500 x 6 EUR a million
        assert row.at == datetime(2026, 3, 10, 11, 59, 58, tzinfo=UTC)

    run(database_uri, tmp_path, story)


def test_who_answered_in_its_place_is_paid(database_uri: str, tmp_path: Path) -> None:
    async def story(one: Desk) -> None:
        one.log.ended(a_call(answered_by="mistral", model="gros"))
        one.log.ended(a_call(answered_by="", model="gros"))
        await one.written()
        assert [row.cost for row in await one.rows()] == [pytest.approx(0.005), 0.0]

    run(database_uri, tmp_path, story)


def test_many_calls_are_few_statements(database_uri: str, tmp_path: Path) -> None:
    async def story(one: Desk) -> None:
        with queries(one.database) as sent:
            for _ in range(20 * BATCH):
                one.log.ended(a_call())
            await one.written()
        assert len(sent) <= 3
        assert len(await one.rows()) == 20 * BATCH

    run(database_uri, tmp_path, story)


def test_the_rows_of_an_account_that_is_gone_harm_no_other(
    database_uri: str, tmp_path: Path
) -> None:
    async def story(one: Desk) -> None:
        one.log.ended(a_call())
        one.log.ended(a_call(principal=replace(CAMILLE, user_id=99)))
        one.log.ended(a_call(principal=NEIGHBOUR, completion_tokens=10**30, prompt_tokens=-5))
        await one.written()
        assert [row.user_id for row in await one.rows()] == [1, 2]

    run(database_uri, tmp_path, story)


def test_what_the_database_did_not_take_waits_on_the_disk_and_is_counted_once(
    tmp_path: Path,
) -> None:
    spill = tmp_path / "usage"

    async def play() -> None:
        with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
            async with desk(server.uri, spill) as one:
                one.log.ended(a_call())
                await one.written()
                rows = await one.rows()
        away = Desk(NOWHERE, spill)
        await away.log.open()
        for _ in range(3):
            away.log.ended(a_call())
        await away.log.close()
        [kept] = spill.iterdir()
        assert kept.stat().st_mode & 0o077 == 0
        with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
            database = Database(server.uri)
            await database.open()
            log = UsageLog(database, COSTS.get, Spill(spill))
            await log.open()
            async with asyncio.timeout(20):
                while any(spill.iterdir()):  # noqa: ASYNC110 — to watch
                    await asyncio.sleep(0.01)
            await log.close()
            async with database.session() as session:
                assert await session.scalar(select(func.count(Usage.id))) == len(rows) + 3
            await database.close()

    asyncio.run(play())


WORKER = """
import asyncio, signal, sys
from pathlib import Path
from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.usage.recording import UsageLog
from albert.api.features.usage.spilling import Spill
from albert.api.call import Call

async def main():
    database = Database(sys.argv[1])
    log = UsageLog(database, lambda model: None, Spill(Path(sys.argv[2])))
    await database.open()
    await log.open()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    principal = Principal(user_id=1, username="camille")
    number = 0
    while not stop.is_set():
        number += 1
        log.ended(Call(request_id="", principal=principal, model="m", operation="x", status=200))
        if number % 50 == 0:
            print(number, number - log.waiting, flush=True)
            await asyncio.sleep(0.002)
    await log.close()
    await database.close()
    print(number, number, flush=True)

asyncio.run(main())
"""


async def worker_stopped_by(uri: str, folder: Path, number: signal.Signals) -> tuple[int, int]:
    """Run a worker for a while; return how many calls it had, and how many it had written."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, uri, str(folder)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ended = kept = 0
    while line := await process.stdout.readline():
        ended, kept = map(int, line.split())
        if kept > 3000 and process.returncode is None:
            process.send_signal(number)
    await process.wait()
    return ended, kept


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_worker_loses_nothing_and_a_killed_one_a_batch(
    database_uri: str, tmp_path: Path, number: signal.Signals
) -> None:
    async def story(one: Desk) -> None:
        ended, kept = await worker_stopped_by(database_uri, tmp_path / "spill", number)
        rows = len(await one.rows())
        if number is signal.SIGTERM:
            assert rows == ended
        else:
            assert kept <= rows <= ended + 50

    run(database_uri, tmp_path, story)


async def a_history(one: Desk) -> None:
    """Two days of calls: three of camille, one of them an error, and one of her neighbour."""
    one.log.ended(a_call(1.0, stream=True))
    one.log.ended(a_call(3.0))
    one.now = datetime(2026, 3, 9, 12, tzinfo=UTC)
    one.log.ended(a_call(1.0, status=503, first=0.0, prompt_tokens=0, completion_tokens=0))
    one.log.ended(a_call(2.0, principal=NEIGHBOUR, model="albert-extractif"))
    await one.written()


def test_ones_own_usage_is_told_by_day_and_model(database_uri: str, tmp_path: Path) -> None:
    async def story(one: Desk) -> None:
        await a_history(one)
        told = await one.told(CAMILLE)
        assert [(line["day"], line["model"], line["requests"]) for line in told["data"]] == [
            ("2026-03-09", "mistral", 1),
            ("2026-03-10", "mistral", 2),
        ]
        last = told["data"][1]
        assert (last["prompt_tokens"], last["completion_tokens"], last["streams"]) == (
            2000,
            1000,
            1,
        )
        assert last["cost_euros"] == pytest.approx(0.01)
        assert last["latency"] == {"p50": 2.0, "p95": pytest.approx(2.9)}
        assert last["first_token"]["p50"] == pytest.approx(0.4)
        assert told["data"][0]["first_token"] == {"p50": None, "p95": None}
        assert (told["total"]["requests"], told["total"]["errors"]) == (3, 1)
        assert (told["object"], told["group_by"]) == ("usage.report", ["day", "model"])

    run(database_uri, tmp_path, story)


def test_an_administrator_sees_one_account_or_all(database_uri: str, tmp_path: Path) -> None:
    async def story(one: Desk) -> None:
        await a_history(one)
        assert (await one.told(CHIEF))["total"]["requests"] == 0
        assert (await one.told(CHIEF, "user=Camille"))["total"]["requests"] == 3
        told = await one.told(CHIEF, "user=*&group_by=user")
        assert [(line["user"], line["requests"]) for line in told["data"]] == [
            ("camille", 3),
            ("voisine", 1),
        ]
        narrowed = await one.told(CHIEF, "user=*&model=mistral&from=2026-03-10&to=2026-03-10")
        assert narrowed["total"]["requests"] == 2
        with pytest.raises(AccountNotFound):
            await one.told(CHIEF, "user=personne")

    run(database_uri, tmp_path, story)


@pytest.mark.parametrize("user", ["*", "voisine", "voisine@exemple.fr", "personne"])
def test_a_member_sees_nobody_else(database_uri: str, tmp_path: Path, user: str) -> None:
    async def story(one: Desk) -> None:
        assert (await one.told(CAMILLE, "user=camille"))["total"]["requests"] == 0
        with pytest.raises(AdminOnly):
            await one.told(CAMILLE, f"user={user}")

    run(database_uri, tmp_path, story)


def test_a_report_is_two_statements_at_most(database_uri: str, tmp_path: Path) -> None:
    async def story(one: Desk) -> None:
        await a_history(one)
        with queries(one.database) as sent:
            await one.told(CHIEF, "user=camille")
        assert len(sent) == 2
        async with one.database.session() as session:
            await session.execute(text("DELETE FROM users WHERE id = 1"))
        assert [row.user_id for row in await one.rows()] == [2]

    run(database_uri, tmp_path, story)
