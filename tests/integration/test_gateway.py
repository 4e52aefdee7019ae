"""What the gateway does with what engines answer, over real HTTP, from scripted engines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp import web

from albert.api.app import create_app
from albert.api.auth import Principal
from albert.api.call import Call
from albert.asgi.run import listen
from albert.assistant.contract import EXTRACTIVE
from albert.assistant.substitution import SubstitutedAnswerer
from albert.domain.errors import ModelDown
from albert.routing.dispatch import Dispatcher
from albert.routing.fleet import Fleet
from albert.routing.table import RoutedModel, RoutingTable
from albert.testing.answers import ScriptedAnswerer
from albert.testing.services import KEY, PASSPORT, Answered, ask, scripted
from albert.wire.sse import DONE, Decoder, frame

pytestmark = pytest.mark.integration

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
CHAT = "/v1/chat/completions"
ASKED = {"messages": [{"role": "user", "content": "Combien coûte un passeport ?"}]}
WELL = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
NOWHERE = "http://127.0.0.1:1/v1"


class Recorded:
    """Keeps the calls, as they ended."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def began(self, call: Call) -> None:
        assert call.model

    def ended(self, call: Call) -> None:
        self.calls.append(call)


class Visitor:
    """Admits everybody, who is no administrator."""

    async def admit(self, token: str) -> Principal:
        return Principal(user_id=2, username="visitor")


@asynccontextmanager
async def engine(answer: Answer) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/v1/{operation:.*}", answer)
    application.router.add_get("/v1/models", lists)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    with listen("127.0.0.1", 0) as listener:
        await web.SockSite(runner, listener).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            await runner.cleanup()


async def _json(value: object, status: int = 200, **headers: str) -> web.Response:
    kind = "application/json"
    return web.Response(body=orjson.dumps(value), status=status, content_type=kind, headers=headers)


async def lists(_request: web.Request) -> web.StreamResponse:
    return await _json({"data": []})


async def well(_request: web.Request) -> web.StreamResponse:
    return await _json(WELL)


async def streaming(request: web.Request) -> web.StreamResponse:
    """A well-behaved engine: usage is told where it is asked for."""
    body = await request.json()
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    choice = {"index": 0, "delta": {"content": "86 €"}, "finish_reason": None}
    await response.write(frame(orjson.dumps({"choices": [choice]})))
    if body["stream_options"]["include_usage"]:
        await response.write(frame(orjson.dumps(WELL)))
    await response.write(DONE)
    return response


Told = tuple[list[Answered], list[Call]]


def told_by(
    table: dict[str, dict[str, Any]],
    *engines: Answer,
    body: dict[str, Any] | None = None,
    path: str = CHAT,
    times: int = 1,
    visitor: bool = False,
) -> Told:
    """Ask ``times``, one after the other; « @0 » in the table is the first engine's address."""

    async def scenario() -> Told:
        async with AsyncExitStack() as stack:
            addresses = [await stack.enter_async_context(engine(one)) for one in engines]
            text = orjson.dumps(table).decode()
            for place, address in enumerate(addresses):
                text = text.replace(f"@{place}", address)
            models = {
                name: RoutedModel.model_validate({"name": name, "driver": "openai", **entry})
                for name, entry in orjson.loads(text).items()
            }
            recorded = Recorded()
            dispatcher = Dispatcher(Fleet(RoutingTable(models)))
            extraction = ScriptedAnswerer(["86 €"], chunks=[PASSPORT])
            services = replace(scripted(extraction, dispatcher=dispatcher), recorder=recorded)
            if visitor:
                services = replace(services, gate=Visitor())
            app = create_app(services)
            await dispatcher.open()
            said = {"model": "m", **ASKED, **(body or {})}
            answered = [  # each is a conversation of its own: affinity would keep one replica
                await ask(app, "POST", path, {**said, "prompt_cache_key": str(place)})
                for place in range(times)
            ]
            await dispatcher.close()
            return answered, recorded.calls

    return asyncio.run(scenario())


def one(table: dict[str, dict[str, Any]], *engines: Answer, **how: Any) -> tuple[Answered, Call]:  # noqa: ANN401 — passed on
    answered, calls = told_by(table, *engines, **how)
    return answered[0], calls[0]


def to(*places: str, **said: object) -> dict[str, dict[str, Any]]:
    return {"m": {"replicas": [{"host": place} for place in places], **said}}


def failing(status: int, **headers: str) -> Answer:
    async def fail(_request: web.Request) -> web.StreamResponse:
        return await _json({"error": {"message": "non"}}, status, **headers)

    return fail


class TestUsage:
    def test_the_engines_own_counts_are_kept(self) -> None:
        answered, call = one(to("@0"), well)
        assert answered.json() == WELL
        assert (call.prompt_tokens, call.completion_tokens, call.status) == (7, 3, 200)
        assert (call.model, call.operation, call.attempts) == ("m", "chat/completions", 1)
        assert call.started < call.ended

    def test_in_a_stream_they_are_asked_for_and_kept_from_who_did_not_ask(self) -> None:
        answered, call = one(to("@0"), streaming, body={"stream": True})
        assert [event.data[:5] for event in Decoder().feed(answered.body)] == ['{"cho', "[DONE"]
        assert b"usage" not in answered.body
        assert (call.prompt_tokens, call.completion_tokens, call.stream) == (7, 3, True)
        assert call.started < call.first < call.ended

    def test_who_asks_for_them_has_them(self) -> None:
        asked = {"stream": True, "stream_options": {"include_usage": True}}
        answered, _ = one(to("@0"), streaming, body=asked)
        assert b'"prompt_tokens":7' in answered.body


class TestFailures:
    @pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 401, 302])
    def test_what_fails_is_asked_of_another_replica(self, status: int) -> None:
        answered, calls = told_by(to("@0", "@1"), failing(status), well, times=20)
        assert [one.status for one in answered] == [200] * 20
        assert max(call.attempts for call in calls) == 2

    def test_a_mistake_of_the_callers_is_told_and_asked_of_nobody_else(self) -> None:
        answered, call = one(to("@0", "@1"), failing(400), failing(400))
        assert (answered.status, call.attempts) == (400, 1)

    def test_an_overloaded_engine_says_when_to_come_back(self) -> None:
        answered, _ = one(to("@0"), failing(429, **{"retry-after": "7"}))
        assert (answered.status, answered.headers["retry-after"]) == (429, "7")
        answered, _ = one(to("@0"), failing(503))
        assert (answered.status, answered.headers["retry-after"]) == (503, "1")

    def test_a_dead_replica_is_left_alone_once_it_is_known(self) -> None:
        answered, calls = told_by(to(NOWHERE, "@0"), well, times=20)
        assert [one.status for one in answered] == [200] * 20
        assert sum(call.attempts for call in calls) == 21

    def test_without_any_replica_it_says_when_to_come_back(self) -> None:
        answered, calls = told_by(to(NOWHERE), times=2)
        assert [one.status for one in answered] == [503, 503]
        assert {one.headers["retry-after"] for one in answered} == {"1"}
        assert [call.status for call in calls] == [503, 503]

    def test_a_request_that_every_replica_fails_blames_none_of_them(self) -> None:
        answered, _ = told_by(to("@0", "@1"), failing(500), failing(500), times=5)
        assert [one.status for one in answered] == [502] * 5

    def test_a_stream_without_its_end_is_told_as_cut(self) -> None:
        async def cut(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            await response.write(frame(b'{"choices":[{"delta":{"content":"86"}}]}'))
            return response

        answered, call = one(to("@0"), cut, body={"stream": True})
        _, error, done = Decoder().feed(answered.body)
        assert '"code":"model_unreachable"' in error.data
        assert done.data == "[DONE]"
        assert (call.status, call.completion_tokens) == (502, 1)


async def engine_away(_request: web.Request) -> web.StreamResponse:
    """« albert serve llm » is there, and the engine behind it is not."""
    error = {"message": "« m » s'est arrêté : il est relancé.", "code": "model_unreachable"}
    return await _json({"error": error}, 503, **{"retry-after": "2"})


class TestFallback:
    @pytest.mark.parametrize("stream", [False, True])
    def test_a_service_whose_engine_is_away_is_down(self, stream: bool) -> None:
        table = to("@0", fallback="other") | {"other": {"replicas": [{"host": "@1"}]}}
        other = streaming if stream else well
        answered, call = one(table, engine_away, other, body={"stream": stream})
        assert (answered.status, answered.headers["x-albert-fallback"]) == (200, "other")
        assert (call.model, call.answered_by) == ("m", "other")

    def test_without_another_model_it_says_why_and_when_to_come_back(self) -> None:
        answered, _ = one(to("@0"), engine_away)
        assert (answered.status, answered.headers["retry-after"]) == (503, "1")
        assert "il est relancé" in answered.body.decode()

    def test_another_model_answers_and_is_named(self) -> None:
        table = to(NOWHERE, fallback="other") | {"other": {"replicas": [{"host": "@0"}]}}
        answered, calls = told_by(table, well, times=2)
        for told, call in zip(answered, calls, strict=True):
            assert (told.status, told.headers["x-albert-fallback"]) == (200, "other")
            assert (call.model, call.answered_by) == ("m", "other")

    @pytest.mark.parametrize("stream", [False, True])
    def test_extraction_answers_and_is_named(self, stream: bool) -> None:
        table = to(NOWHERE, fallback=EXTRACTIVE)
        answered, call = one(table, body={"stream": stream})
        assert (answered.status, answered.headers["x-albert-fallback"]) == (200, EXTRACTIVE)
        assert b'"mode":"extractive"' in answered.body
        assert call.answered_by == EXTRACTIVE

    def test_from_the_sheets_too_and_before_anything_is_told(self) -> None:
        down = ScriptedAnswerer(chunks=[PASSPORT], model="m", error=ModelDown())
        extraction = ScriptedAnswerer(["86 €"], chunks=[PASSPORT])
        answerer = SubstitutedAnswerer(down, lambda: extraction)
        services = scripted(answerer, extraction)
        body = {"model": "m", **ASKED, "rag": {}}
        answered = asyncio.run(ask(create_app(services), "POST", CHAT, body))
        assert answered.status == 200
        assert answered.headers["x-albert-fallback"] == EXTRACTIVE


class TestAccess:
    def test_a_model_for_administrators_is_not_for_others(self) -> None:
        answered, calls = told_by(to("@0", access=["admin"]), well, visitor=True)
        assert (answered[0].status, calls) == (403, [])
        assert answered[0].json()["error"]["code"] == "model_forbidden"  # type: ignore[index]  # JSON
        assert one(to("@0", access=["admin"]), well)[0].status == 200

    def test_an_alias_is_the_model_itself(self) -> None:
        answered, call = one(to("@0", aliases=["a"]), well, body={"model": "a"})
        assert (answered.status, call.model) == (200, "m")

    @pytest.mark.parametrize(
        ("type_", "path", "status"),
        [
            ("text-generation", "/v1/completions", 200),
            ("text-generation", "/v1/embeddings", 400),
            ("embeddings", "/v1/embeddings", 200),
            ("embeddings", CHAT, 400),
            ("rerank", "/v1/rerank", 200),
            ("rerank", "/v1/completions", 400),
        ],
    )
    def test_a_model_does_what_its_type_says(self, type_: str, path: str, status: int) -> None:
        answered, _ = told_by(to("@0", type=type_), well, path=path)
        assert answered[0].status == status


def test_the_embedded_model_of_the_table_answers_by_its_name() -> None:
    table = {"m": {"type": "embeddings", "driver": "embedded", "access": ["admin"]}}
    answered, call = one(table, path="/v1/embeddings", body={"input": "un deux"})
    assert (answered.status, call.model, call.prompt_tokens) == (200, "m", 2)
    refused, _ = told_by(table, path="/v1/embeddings", body={"input": "a"}, visitor=True)
    assert refused[0].status == 403


def test_the_tokens_of_a_ranking_are_counted() -> None:
    async def ranking(_request: web.Request) -> web.StreamResponse:
        return await _json({"results": [], "usage": {"total_tokens": 26}})

    _, call = one(to("@0", type="rerank"), ranking, path="/v1/rerank")
    assert (call.prompt_tokens, call.completion_tokens) == (26, 0)


def test_llama_cpp_is_asked_for_events_so_that_it_notices_who_leaves() -> None:
    table = to("@0", driver="llama.cpp", file="m.gguf")
    answered, call = one(table, streaming)
    assert answered.headers["content-type"] == "application/json"
    choice = {"index": 0, "message": {"role": "assistant", "content": "86 €"}}
    assert answered.json() == {
        "object": "",
        "choices": [{**choice, "finish_reason": None}],
        "usage": WELL["usage"],
    }
    assert (call.prompt_tokens, call.completion_tokens) == (7, 3)


def test_a_whole_answer_that_breaks_off_is_asked_of_another_replica() -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(frame(b'{"choices":[{"index":0,"delta":{"content":"86"}}]}'))
        assert request.transport is not None
        request.transport.abort()
        return response

    table = to("@0", "@1", driver="llama.cpp", file="m.gguf")
    answered, calls = told_by(table, breaking, streaming, times=20)
    assert [one.status for one in answered] == [200] * 20
    assert b"86 \xe2\x82\xac" in answered[0].body
    assert max(call.attempts for call in calls) == 2


def test_a_key_of_ours_is_never_sent_to_an_engine() -> None:
    seen: list[str] = []

    async def look(request: web.Request) -> web.StreamResponse:
        seen.append(str(dict(request.headers)))
        return await _json(WELL)

    one(to("@0"), look)
    assert KEY not in seen[0]
    assert "X-Request-ID" in seen[0]
