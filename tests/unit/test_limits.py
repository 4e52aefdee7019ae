"""Limits, on a ledger in memory that several workers share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.features.limits.headers import duration, phrase
from albert.api.features.limits.ledger import Ask, Key, lent
from albert.api.features.limits.limiter import LeasedLimiter
from albert.api.features.limits.rules import UNLIMITED, Bound, Rules
from albert.domain.errors import DatabaseUnavailable, LimitExceeded
from albert.testing.ledgers import Clock, MemoryBook

NOON = 1_700_000_040.0 + 0.0  # 1_700_000_040 is a whole number of minutes
PATIENCE = 5.0


def a_call(user: int = 1, *, model: str = "m", stream: bool = False, reserved: int = 0) -> Call:
    principal = Principal(user_id=user, username=f"u{user}")
    return Call(
        request_id="r",
        principal=principal,
        model=model,
        operation="chat/completions",
        stream=stream,
        reserved=reserved,
    )


class Workers:
    """Some limiters on one book."""

    def __init__(self, rules: Rules, count: int) -> None:
        self.clock = Clock(NOON)
        self.book = MemoryBook(self.clock)
        self.rules = rules
        self.ledgers = [self.book.worker() for _ in range(count)]
        self.limiters = []
        for ledger in self.ledgers:  # each is heard before the next one is made
            self.limiters.append(
                LeasedLimiter(ledger, self.read, clock=self.clock, patience=PATIENCE)
            )

    async def read(self) -> Rules:
        return self.rules


@asynccontextmanager
async def workers(rules: Rules, count: int = 1) -> AsyncIterator[Workers]:
    one = Workers(rules, count)
    for limiter in one.limiters:
        await limiter.open()
    try:
        yield one
    finally:
        for limiter in one.limiters:
            await limiter.close()


async def admitted(limiter: LeasedLimiter, *calls: Call) -> list[bool]:
    """Ask for all the calls at once; say of each whether it may pass."""
    said = await asyncio.gather(*(limiter.admit(call) for call in calls), return_exceptions=True)
    for one in said:
        assert one is None or isinstance(one, LimitExceeded), one
    return [one is None for one in said]


def of_role(**said: int) -> Rules:
    return Rules(roles={("member", ""): said})  # type: ignore[dict-item]  # the kinds, by name


class TestRules:
    def test_an_account_has_the_limits_of_its_role_then_its_own(self) -> None:
        rules = Rules(
            roles={("member", ""): {"requests_minute": 60, "tokens_day": 1000}},
            users={(7, ""): {"requests_minute": 5}},
        )
        assert rules.bounds(1, is_admin=False, model="m") == (
            Bound("", "requests_minute", 60),
            Bound("", "tokens_day", 1000),
        )
        assert rules.bounds(7, is_admin=False, model="m")[0].most == 5
        assert rules.bounds(1, is_admin=True, model="m") == ()

    def test_those_of_a_model_hold_besides_those_of_all(self) -> None:
        rules = Rules(roles={("member", ""): {"streams": 3}, ("member", "m"): {"requests_day": 10}})
        assert rules.bounds(1, is_admin=False, model="m") == (
            Bound("", "streams", 3),
            Bound("m", "requests_day", 10),
        )
        assert rules.bounds(1, is_admin=False, model="n") == (Bound("", "streams", 3),)

    def test_unlimited_lifts_what_the_role_says(self) -> None:
        rules = Rules(
            roles={("member", ""): {"requests_minute": 60}},
            users={(7, ""): {"requests_minute": UNLIMITED}},
        )
        assert rules.bounds(7, is_admin=False, model="m") == ()


@pytest.mark.parametrize(
    ("need", "ahead", "room", "given"),
    [
        (1, 32, 1600, 33),  # what is needed and ahead
        (1, 32, 160, 10),  # a sixteenth of what remains
        (1, 32, 15, 1),  # one at a time near the end
        (3, 32, 2, 2),  # the rest, for the first of three
        (1, 32, 0, 0),
        (0, 32, 1600, 32),
    ],
)
def test_a_lease_shrinks_with_what_remains(need: int, ahead: int, room: int, given: int) -> None:
    ask = Ask(Key(1, "", "requests_minute"), 0, need, min(need, 1), ahead, 0, 0, 0, 0, frees=False)
    assert lent(ask, room) == given


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0ms"), (0.0301, "31ms"), (1, "1s"), (59.2, "1m0s"), (360, "6m0s"), (86399, "23h59m59s")],
)
def test_a_duration_is_written_as_openai_does(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("key", "most", "said"),
    [
        (Key(1, "", "streams"), 1, "1 réponse en flux à la fois"),
        (Key(1, "m", "streams"), 2, "2 réponses en flux au modèle m à la fois"),
        (Key(1, "", "requests_minute"), 1, "1 requête par minute"),
        (Key(1, "", "tokens_day"), 60, "60 jetons par jour"),
    ],
)
def test_a_limit_is_said_in_french(key: Key, most: int, said: str) -> None:
    assert phrase(key, most) == said


def test_without_limits_nothing_is_asked_and_nothing_is_said() -> None:
    async def story() -> None:
        async with workers(Rules()) as one:
            call = a_call()
            await one.limiters[0].admit(call)
            one.limiters[0].settle(call)
            assert (one.book.exchanges, call.headers) == (0, ())

    asyncio.run(story())


def test_far_from_a_limit_one_exchange_serves_many_calls() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=1600)) as one:
            for _ in range(33):
                await one.limiters[0].admit(a_call())
            assert one.book.exchanges == 1

    asyncio.run(story())


def test_exactly_the_limit_passes_and_the_refusal_says_it() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=10)) as one:
            assert await admitted(one.limiters[0], *(a_call() for _ in range(12))) == (
                [True] * 10 + [False] * 2
            )
            call = a_call()  # refused at once: the ledger has said that nothing is left
            with pytest.raises(LimitExceeded, match="10 requêtes par minute") as caught:
                await one.limiters[0].admit(call)
            assert caught.value.seconds == 60
            assert dict(call.headers) == {
                b"x-ratelimit-limit-requests": b"10",
                b"x-ratelimit-remaining-requests": b"0",
                b"x-ratelimit-reset-requests": b"1m0s",
            }

    asyncio.run(story())


def test_a_refusal_by_the_ledger_says_what_is_left() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=1)) as one:
            passed, refused = a_call(), a_call()
            assert await admitted(one.limiters[0], passed, refused) == [True, False]
            assert dict(refused.headers) == {
                b"x-ratelimit-limit-requests": b"1",
                b"x-ratelimit-remaining-requests": b"0",
                b"x-ratelimit-reset-requests": b"1m0s",
            }

    asyncio.run(story())


def test_a_refusal_that_is_sure_asks_nothing_more() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=1)) as one:
            await admitted(one.limiters[0], a_call(), a_call())
            before = one.book.exchanges
            assert await admitted(one.limiters[0], *(a_call() for _ in range(50))) == [False] * 50
            assert one.book.exchanges == before

    asyncio.run(story())


def test_what_another_worker_does_not_use_comes_back() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=320), 2) as one:
            first, second = one.limiters
            assert await admitted(first, a_call()) == [True]  # leases 20
            assert sum(await admitted(second, *(a_call() for _ in range(330)))) == 319

    asyncio.run(story())


def test_a_lease_of_a_killed_worker_is_lost_until_the_window_ends() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=320), 2) as one:
            first, second = one.limiters
            second._patience = 0
            assert await admitted(first, a_call()) == [True]  # leases 20
            one.book.kill(one.ledgers[0])
            assert sum(await admitted(second, *(a_call() for _ in range(330)))) == 300
            one.clock.now += 60
            assert sum(await admitted(second, *(a_call() for _ in range(330)))) == 320

    asyncio.run(story())


def test_a_new_minute_is_a_new_budget_and_the_day_goes_on() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=3, requests_day=5)) as one:
            assert sum(await admitted(one.limiters[0], *(a_call() for _ in range(4)))) == 3
            one.clock.now += 60
            assert sum(await admitted(one.limiters[0], *(a_call() for _ in range(4)))) == 2
            one.clock.now += 86_400
            assert sum(await admitted(one.limiters[0], *(a_call() for _ in range(4)))) == 3

    asyncio.run(story())


def test_tokens_are_reserved_then_settled() -> None:
    async def story() -> None:
        async with workers(of_role(tokens_minute=1000)) as one:
            limiter = one.limiters[0]
            calls = [a_call(reserved=400) for _ in range(3)]
            assert await admitted(limiter, *calls) == [True, True, False]
            calls[0].prompt_tokens, calls[0].completion_tokens = 50, 100
            limiter.settle(calls[0])
            assert await admitted(limiter, a_call(reserved=450), a_call()) == [True, False]
            headers = dict(calls[0].headers)
            assert headers[b"x-ratelimit-limit-tokens"] == b"1000"
            assert headers[b"x-ratelimit-remaining-tokens"] == b"200"

    asyncio.run(story())


def test_an_answer_longer_than_reserved_is_counted_whole() -> None:
    async def story() -> None:
        async with workers(of_role(tokens_minute=1000)) as one:
            limiter, call = one.limiters[0], a_call(reserved=100)
            await limiter.admit(call)
            call.completion_tokens = 700
            limiter.settle(call)
            assert await admitted(limiter, a_call(reserved=301)) == [False]
            assert await admitted(limiter, a_call(reserved=300)) == [True]

    asyncio.run(story())


def test_a_call_larger_than_its_limit_is_told_so_at_once() -> None:
    async def story() -> None:
        async with workers(of_role(tokens_minute=1000)) as one:
            with pytest.raises(LimitExceeded, match="peut prendre 1001 jetons"):
                await one.limiters[0].admit(a_call(reserved=1001))
            assert one.book.exchanges == 0

    asyncio.run(story())


def streams(count: int) -> list[Call]:
    return [a_call(stream=True) for _ in range(count)]


def test_streams_count_while_they_last_on_every_worker() -> None:
    async def story() -> None:
        async with workers(of_role(streams=2), 2) as one:
            first, second = one.limiters
            opened = streams(2)
            assert await admitted(first, *opened) == [True, True]
            assert await admitted(second, *streams(1)) == [False]
            assert await admitted(second, a_call()) == [True]  # not a stream
            first.settle(opened[0])
            await settled()
            assert await admitted(second, *streams(2)) == [True, False]

    asyncio.run(story())


def test_streams_of_a_killed_worker_are_free_again() -> None:
    async def story() -> None:
        async with workers(of_role(streams=2), 2) as one:
            first, second = one.limiters
            second._patience = 0
            assert await admitted(first, *streams(2)) == [True, True]
            one.book.kill(one.ledgers[0])
            assert await admitted(second, *streams(3)) == [True, True, False]

    asyncio.run(story())


def test_a_change_of_limits_is_followed() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=2)) as one:
            assert sum(await admitted(one.limiters[0], *(a_call() for _ in range(3)))) == 2
            one.rules = of_role(requests_minute=3)
            one.book.ears[1].rules()
            await asyncio.sleep(0)
            assert sum(await admitted(one.limiters[0], *(a_call() for _ in range(3)))) == 1

    asyncio.run(story())


def test_without_the_database_what_is_leased_goes_on_and_the_rest_is_told() -> None:
    async def story() -> None:
        async with workers(of_role(requests_minute=320)) as one:
            limiter = one.limiters[0]
            await limiter.admit(a_call())  # leases 20
            one.book.away = True
            assert await admitted(limiter, *(a_call() for _ in range(19))) == [True] * 19
            with pytest.raises(DatabaseUnavailable):
                await limiter.admit(a_call())
            one.book.away = False
            assert await admitted(limiter, a_call()) == [True]

    asyncio.run(story())


def test_an_account_that_is_forgotten_gives_its_lease_back() -> None:
    async def story() -> None:
        async with workers(of_role(requests_day=320), 2) as one:
            first, second = one.limiters
            await first.admit(a_call())  # leases 20
            first.forget(one.clock() + 1)
            await settled()
            second._patience = 0
            assert sum(await admitted(second, *(a_call() for _ in range(330)))) == 319
            assert sum(await admitted(first, a_call())) == 0

    asyncio.run(story())


def test_a_caller_who_leaves_while_waiting_takes_nothing() -> None:
    async def story() -> None:
        async with workers(of_role(streams=1)) as one:
            leaving = [asyncio.create_task(one.limiters[0].admit(call)) for call in streams(3)]
            await asyncio.sleep(0)
            for task in leaving:
                task.cancel()
            await asyncio.wait(leaving)
            assert await admitted(one.limiters[0], *streams(2)) == [True, False]

    asyncio.run(story())


async def settled(turns: int = 30) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
