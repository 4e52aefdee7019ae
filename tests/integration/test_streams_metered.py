"""Answers of conversations count, and have limits, as calls under /v1 do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from albert.api.app import create_app
from albert.api.call import Call
from albert.domain.errors import LimitExceeded
from albert.testing.answers import ScriptedAnswerer
from albert.testing.services import (
    PASSPORT,
    Answered,
    Upstream,
    ask,
    dispatcher_to,
    enrol,
    scripted,
    with_database,
)

pytestmark = pytest.mark.integration

QUERY = "Combien coûte un passeport ?"


class Meter:
    """Admits ``most`` calls, and remembers them."""

    def __init__(self, most: int) -> None:
        self._left = most
        self.settled: list[Call] = []
        self.ended_calls: list[Call] = []

    async def admit(self, call: Call) -> None:
        if not self._left:
            raise LimitExceeded(7, "1 flux")
        self._left -= 1

    def settle(self, call: Call) -> None:
        self.settled.append(call)

    def began(self, call: Call) -> None:
        assert call.operation == "stream"

    def ended(self, call: Call) -> None:
        self.ended_calls.append(call)


def asked(
    uri: str, meter: Meter, *, times: int = 1, access: Sequence[str] = ("member",)
) -> list[Answered]:
    """Ask as a member, ``times``; return what each start answered."""

    async def told() -> list[Answered]:
        answerer = ScriptedAnswerer(["86 €", " le passeport"], chunks=[PASSPORT], model="big")
        nowhere = Upstream(base_url="http://127.0.0.1:1/v1", model="big")
        dispatcher = dispatcher_to({"big": nowhere}, access=access)
        services = with_database(scripted(answerer, dispatcher=dispatcher), uri)
        services = replace(services, limiter=meter, recorder=meter)
        app = create_app(services)
        await app.open()
        try:
            key = await enrol(services.database, "camille")
            starts = []
            for _ in range(times):
                body = {"model_name": "big", "query": QUERY}
                made = await ask(app, "POST", "/api/v2/stream", body, key=key)
                path = f"/api/v2/stream/{made.json()['id']}/start"
                starts.append(await ask(app, "GET", path, key=key))
            await services.background.wait()
            return starts
        finally:
            await app.close()

    return asyncio.run(told())


def test_an_answer_is_a_call_with_its_tokens(database_uri: str) -> None:
    meter = Meter(1)
    (answered,) = asked(database_uri, meter)
    assert answered.status == 200
    (call,) = meter.ended_calls
    assert (call.model, call.operation, call.status, call.stream) == ("big", "stream", 200, True)
    assert call.principal.username == "camille"
    assert call.completion_tokens == 4  # words are the test embedder's tokens
    assert call.started < call.first < call.ended
    assert meter.settled == [call]


def test_beyond_a_limit_an_answer_is_refused_with_the_seconds_to_wait(database_uri: str) -> None:
    meter = Meter(1)
    first, second = asked(database_uri, meter, times=2)
    assert (first.status, second.status) == (200, 429)
    assert len(meter.ended_calls) == 1


def test_a_model_for_administrators_answers_no_member(database_uri: str) -> None:
    meter = Meter(1)
    (answered,) = asked(database_uri, meter, access=["admin"])
    assert answered.status == 403
    assert meter.ended_calls == []
