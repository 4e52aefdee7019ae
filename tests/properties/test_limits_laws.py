"""Whatever the order in which workers ask: never more than the limit, and never less."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.features.limits.limiter import LeasedLimiter
from albert.api.features.limits.rules import Rules
from albert.domain.errors import LimitExceeded
from albert.testing.ledgers import Clock, MemoryBook

START = 1_700_000_040.0
WORKERS = 3


@dataclass(frozen=True)
class Burst:
    """Calls that one worker is asked for while the others go on."""

    worker: int
    calls: int
    turns: int
    """Of the loop before the next burst."""


BURSTS = st.lists(
    st.builds(
        Burst, st.integers(0, WORKERS - 1), st.integers(1, 40), st.sampled_from([0, 0, 1, 2, 3, 9])
    ),
    min_size=1,
    max_size=14,
)
LIMITS = st.integers(1, 200)


def a_call(*, stream: bool = False, reserved: int = 0) -> Call:
    return Call(
        request_id="r",
        principal=Principal(user_id=1, username="camille"),
        model="m",
        operation="chat/completions",
        stream=stream,
        reserved=reserved,
    )


class Play:
    """Three workers on one ledger, whose rules are said once."""

    def __init__(self, rules: Rules) -> None:
        self.clock = Clock(START)
        self.book = MemoryBook(self.clock)
        self.limiters = [
            LeasedLimiter(self.book.worker(), self._read, clock=self.clock, patience=5)
            for _ in range(WORKERS)
        ]
        self.admitted: list[tuple[int, Call]] = []
        self.refused = 0
        self._rules = rules

    async def _read(self) -> Rules:
        return self._rules

    async def ask(self, worker: int, call: Call) -> None:
        try:
            await self.limiters[worker].admit(call)
        except LimitExceeded:
            self.refused += 1
        else:
            self.admitted.append((worker, call))

    async def run(self, bursts: list[Burst], *, stream: bool = False, reserved: int = 0) -> None:
        for limiter in self.limiters:
            await limiter.open()
        asked = []
        for burst in bursts:
            asked += [
                asyncio.create_task(
                    self.ask(burst.worker, a_call(stream=stream, reserved=reserved))
                )
                for _ in range(burst.calls)
            ]
            for _ in range(burst.turns):
                await asyncio.sleep(0)
        await asyncio.gather(*asked)

    async def close(self) -> None:
        for limiter in self.limiters:
            await limiter.close()


def play(
    rules: Rules, bursts: list[Burst], *, stream: bool = False, reserved: int = 0
) -> tuple[int, int]:
    """Return how many were admitted, and how many refused."""

    async def told() -> tuple[int, int]:
        one = Play(rules)
        await one.run(bursts, stream=stream, reserved=reserved)
        await one.close()
        return len(one.admitted), one.refused

    return asyncio.run(told())


@settings(max_examples=40)
@given(LIMITS, BURSTS)
def test_requests_are_admitted_up_to_the_limit_and_no_further(
    limit: int, bursts: list[Burst]
) -> None:
    asked = sum(burst.calls for burst in bursts)
    rules = Rules(roles={("member", ""): {"requests_minute": limit}})
    assert play(rules, bursts)[0] == min(limit, asked)


@settings(max_examples=40)
@given(LIMITS, LIMITS, BURSTS)
def test_the_narrower_of_two_limits_decides(minute: int, day: int, bursts: list[Burst]) -> None:
    asked = sum(burst.calls for burst in bursts)
    rules = Rules(
        roles={("member", ""): {"requests_day": day}, ("member", "m"): {"requests_minute": minute}}
    )
    assert play(rules, bursts)[0] == min(minute, day, asked)


@settings(max_examples=40)
@given(st.integers(1, 400), st.integers(1, 50), BURSTS)
def test_tokens_are_reserved_while_they_fit(limit: int, reserved: int, bursts: list[Burst]) -> None:
    asked = sum(burst.calls for burst in bursts)
    rules = Rules(roles={("member", ""): {"tokens_day": limit}})
    assert play(rules, bursts, reserved=reserved)[0] == min(limit // reserved, asked)


@settings(max_examples=40)
@given(st.integers(1, 20), BURSTS, st.randoms(use_true_random=False))
def test_streams_never_exceed_the_limit_and_those_that_end_make_room(
    limit: int, bursts: list[Burst], chance: Random
) -> None:
    async def told() -> None:
        one = Play(Rules(roles={("member", ""): {"streams": limit}}))
        await one.run(bursts, stream=True)
        asked = sum(burst.calls for burst in bursts)
        assert len(one.admitted) == min(limit, asked)
        ended = [pair for pair in one.admitted if chance.random() < 0.5]
        for worker, call in ended:
            one.limiters[worker].settle(call)
        for _ in range(40):
            await asyncio.sleep(0)
        again = [asyncio.create_task(one.ask(0, a_call(stream=True))) for _ in range(limit + 1)]
        await asyncio.gather(*again)
        assert len(one.admitted) - len(ended) == limit
        await one.close()

    asyncio.run(told())
