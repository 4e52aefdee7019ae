"""Limits on a real PostgreSQL, with several workers on one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import text

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.database.engine import Database
from albert.api.features.limits.administration import say_limits
from albert.api.features.limits.ledger import Kind
from albert.api.features.limits.limiter import DatabaseLimiter
from albert.domain.errors import LimitExceeded, Unauthenticated
from albert.testing.queries import queries
from albert.testing.services import enrol

pytestmark = pytest.mark.integration

PATIENCE = 5.0
"""Seconds: of a machine that may be busy; no test waits for it to pass unless it says so."""


class Worker:
    def __init__(self, uri: str, clock: Callable[[], float]) -> None:
        self.database = Database(uri)
        self.limiter = DatabaseLimiter(self.database, clock=clock, patience=PATIENCE)

    async def open(self) -> None:
        await self.database.open()
        await self.limiter.open()

    async def close(self) -> None:
        await self.limiter.close()
        await self.database.close()

    async def admitted(self, *calls: Call) -> int:
        """Ask for all the calls at once; return how many may pass."""
        told = await asyncio.gather(*map(self.limiter.admit, calls), return_exceptions=True)
        assert all(one is None or isinstance(one, LimitExceeded) for one in told), told
        return sum(one is None for one in told)


class Shift:
    """The time of the loop, moved at will."""

    def __init__(self) -> None:
        self.by = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.by


class Shop:
    def __init__(self, uri: str, count: int) -> None:
        self.shift = Shift()
        self.uri = uri
        self.workers = [Worker(uri, self.shift) for _ in range(count)]

    @property
    def database(self) -> Database:
        return self.workers[0].database

    async def next_window(self) -> None:
        """Have the counters be of the window before, as if a minute and a day had passed."""
        connection = await asyncpg.connect(self.uri)
        await connection.execute(
            "UPDATE limit_counters SET starts = starts - interval '1 day' WHERE kind <> 'streams'"
        )
        await connection.close()
        self.shift.by += 86_400


@asynccontextmanager
async def shop(uri: str, count: int, **said: int) -> AsyncIterator[Shop]:
    one = Shop(uri, count)
    for worker in one.workers:
        await worker.open()
    try:
        await enrol(one.database, "camille")
        await enrol(one.database, "voisine")
        if said:
            await say(one, **said)
        yield one
    finally:
        for worker in one.workers:
            await worker.close()


async def say(one: Shop, **said: int) -> None:
    """Say limits of members, and wait until every worker has heard."""
    numbers: dict[Kind, int | None] = said  # type: ignore[assignment]  # the kinds, by name
    heard = [worker.limiter.version for worker in one.workers]
    await say_limits(one.database, "member", "", numbers)
    async with asyncio.timeout(10):
        while any(  # noqa: ASYNC110 — to watch
            worker.limiter.version == before
            for worker, before in zip(one.workers, heard, strict=True)
        ):
            await asyncio.sleep(0.01)


def run(uri: str, count: int, story: Callable[[Shop], Awaitable[None]], **said: int) -> None:
    async def told() -> None:
        async with shop(uri, count, **said) as one:
            await story(one)

    asyncio.run(told())


def calls(count: int, *, user: int = 1, stream: bool = False, reserved: int = 0) -> list[Call]:
    return [
        Call(
            request_id="r",
            principal=Principal(user_id=user, username="x"),
            model="m",
            operation="chat/completions",
            stream=stream,
            reserved=reserved,
        )
        for _ in range(count)
    ]


async def everywhere(one: Shop, *each: Sequence[Call]) -> int:
    """Have each worker asked for its calls, all at the same time."""
    asked = zip(one.workers, each, strict=True)
    return sum(await asyncio.gather(*(worker.admitted(*some) for worker, some in asked)))


@pytest.mark.parametrize("limit", [1, 7, 50, 400])
def test_all_workers_together_admit_exactly_the_limit(database_uri: str, limit: int) -> None:
    async def story(one: Shop) -> None:
        asked = [calls(limit) for _ in one.workers]
        assert await everywhere(one, *asked) == limit

    run(database_uri, 3, story, requests_day=limit)


def test_leases_that_lie_elsewhere_come_back_before_anybody_is_refused(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        assert await everywhere(one, calls(1), calls(1), []) == 2  # two leases of tens
        assert await one.workers[2].admitted(*calls(400)) == 318
        assert await one.workers[0].admitted(*calls(3)) == 0

    run(database_uri, 3, story, requests_day=320)


def test_one_account_does_not_use_the_budget_of_another(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        assert await everywhere(one, calls(8), calls(8, user=2)) == 10

    run(database_uri, 2, story, requests_day=5)


def test_tokens_are_exact_too_and_what_is_settled_is_used_again(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        first, second = one.workers
        asked = calls(10, reserved=100)
        assert await first.admitted(*asked) == 5
        for call in asked[:5]:
            call.prompt_tokens = 20
            first.limiter.settle(call)
        async with asyncio.timeout(10):
            while (got := await second.admitted(*calls(1, reserved=400))) == 0:  # noqa: ASYNC110 — to watch
                await asyncio.sleep(0.01)
        assert got == 1
        assert await everywhere(one, calls(2, reserved=1), []) == 0

    run(database_uri, 2, story, tokens_day=500)


def test_streams_are_counted_together_and_those_of_the_dead_are_free(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        first, second, third = one.workers
        opened = calls(3, stream=True)
        assert await first.admitted(*opened[:2]) + await second.admitted(*opened[2:]) == 3
        assert await third.admitted(*calls(2, stream=True)) == 0
        await kill(first)
        one.shift.by += 1  # who lives is looked at again
        assert await third.admitted(*calls(4, stream=True)) == 2

    run(database_uri, 3, story, streams=3)


async def kill(worker: Worker) -> None:
    """Cut a worker's connections for good, as -9 does."""
    await worker.database.listener.close()


def test_a_new_window_is_a_new_budget(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        assert await everywhere(one, calls(9), calls(9)) == 10
        await one.next_window()
        assert await everywhere(one, calls(9), calls(9)) == 10

    run(database_uri, 2, story, requests_minute=1000, requests_day=10)


def test_a_change_is_heard_by_every_worker(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        assert await everywhere(one, calls(3), calls(3)) == 6
        await say(one, requests_day=2)
        assert await everywhere(one, calls(3), calls(3)) == 2
        await say(one, requests_day=5)
        assert await everywhere(one, calls(3), calls(3)) == 3

    run(database_uri, 2, story)


def test_without_limits_the_database_is_asked_nothing(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        with queries(one.database) as sent:
            assert await one.workers[0].admitted(*calls(50, stream=True, reserved=10)) == 50
        assert sent == []

    run(database_uri, 1, story)


def test_hundreds_of_accounts_share_their_statements(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        await accounts(one.uri, 300)
        asked = [calls(1, user=user)[0] for user in range(3, 303)]
        with queries(one.database) as sent:
            assert await one.workers[0].admitted(*asked) == 300
        assert len(sent) <= 5

    run(database_uri, 1, story, requests_minute=60, requests_day=1000)


def test_an_erased_account_is_nobody_and_harms_nobody(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        [worker] = one.workers
        assert await worker.admitted(*calls(1), *calls(1, user=2)) == 2
        async with one.database.session() as session:
            await session.execute(text("DELETE FROM users WHERE id = 1"))
            left = await session.scalar(text("SELECT count(*) FROM limit_counters"))
            assert left == 1
        told = await asyncio.gather(
            *map(worker.limiter.admit, [*calls(9), *calls(4, user=2)]), return_exceptions=True
        )
        assert {type(one) for one in told[:9]} == {Unauthenticated}
        assert told[9:] == [None] * 4

    run(database_uri, 1, story, requests_day=5)


def test_many_accounts_on_many_workers_at_once_each_have_theirs(database_uri: str) -> None:
    async def story(one: Shop) -> None:
        await accounts(one.uri, 20)
        each = [[call for user in range(3, 23) for call in calls(40, user=user)] for _ in range(3)]
        assert await everywhere(one, *each) == 20 * 50

    run(database_uri, 3, story, requests_day=50, tokens_day=10_000)


async def accounts(uri: str, count: int) -> None:
    connection = await asyncpg.connect(uri)
    await connection.execute(
        "INSERT INTO users (username, email, is_admin, accept_cookie, accept_retrain)"
        " SELECT 'u' || n, 'u' || n, false, false, false FROM generate_series(1, $1::int) AS n",
        count,
    )
    await connection.close()
