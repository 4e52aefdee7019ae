"""/v1/responses as OpenAI's own client meets it: extraction, and an engine that is scripted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import openai
import orjson
import pytest
import uvloop
from aiohttp import web
from http_served import PATIENCE, served, serving

from albert.api.app import create_app
from albert.asgi.run import listen
from albert.assistant.contract import EXTRACTIVE
from albert.domain.errors import InferenceError
from albert.testing.answers import ScriptedAnswerer
from albert.testing.services import KEY, PASSPORT, Upstream, scripted
from albert.wire.sse import DONE, comment, frame

pytestmark = pytest.mark.integration

Json = dict[str, Any]
QUESTION = "Combien coûte un passeport ?"
WEATHER: Json = {
    "type": "function",
    "name": "temps",
    "parameters": {"type": "object", "properties": {"ville": {"type": "string"}}},
    "strict": False,
}


def chunk(delta: Json, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return frame(orjson.dumps({"model": "big", "choices": [choice]}))


CALLING = (
    comment("the prompt is being read"),
    chunk({"role": "assistant", "reasoning_content": "Il faut "}),
    chunk({"reasoning_content": "demander."}),
    chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "temps"}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"ville":'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Paris"}'}}]}),
    chunk({}, "tool_calls"),
    frame(b'{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}'),
    DONE,
)
WHOLE: Json = {
    "model": "big",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Oui."}, "finish_reason": "length"}
    ],
    "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 3},
    },
}


class Engine:
    """A model's server that says ``said``, and waits for its reader to leave if ``endless``."""

    def __init__(self, *said: bytes, status: int = 200, endless: bool = False) -> None:
        self.said = said
        self.status = status
        self.endless = endless
        self.heard: list[tuple[str, Json]] = []
        self.abandoned = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = orjson.loads(await request.read())
        self.heard.append((request.path, asked))
        kind = "text/event-stream" if asked.get("stream") else "application/json"
        response = web.StreamResponse(status=self.status, headers={"content-type": kind})
        await response.prepare(request)
        for part in self.said:
            await response.write(part)
        if self.endless:
            try:
                await asyncio.Event().wait()
            finally:
                self.abandoned.set()
        return response

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Upstream]:
        application = web.Application()
        application.router.add_post("/v1/{operation:.*}", self._answer)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        with listen("127.0.0.1", 0) as listener:
            await web.SockSite(runner, listener).start()
            port = listener.getsockname()[1]
            try:
                yield Upstream(base_url=f"http://127.0.0.1:{port}/v1", model="big")
            finally:
                await runner.cleanup()


@asynccontextmanager
async def beside(engine: Engine) -> AsyncIterator[openai.AsyncOpenAI]:
    """Give a client of the service in front of ``engine``."""
    async with engine.running() as upstream:
        app = create_app(scripted(ScriptedAnswerer(), upstreams={"big": upstream}))
        async with (
            serving(app) as (address, _),
            openai.AsyncOpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as client,
        ):
            yield client


@contextmanager
def answered_by(answerer: ScriptedAnswerer) -> Iterator[openai.OpenAI]:
    with (
        served(create_app(scripted(answerer))) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as client,
    ):
        yield client


class TestExtraction:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls) -> Iterator[openai.OpenAI]:
        with answered_by(
            ScriptedAnswerer(["Le passeport ", "coûte 86 €."], chunks=[PASSPORT])
        ) as c:
            yield c

    def test_a_response_and_the_passages_it_rests_on(self, client: openai.OpenAI) -> None:
        told = client.responses.create(model=EXTRACTIVE, input=QUESTION, store=True)

        assert (told.output_text, told.status) == ("Le passeport coûte 86 €.", "completed")
        assert told.usage is not None
        assert (told.usage.input_tokens, told.usage.output_tokens) == (5, 5)
        assert told.model_extra is not None
        assert told.model_extra["store"] is False
        assert told.model_extra["sources"][0]["url"] == PASSPORT.url
        assert told.model_extra["rag_context"][0]["references"] == [PASSPORT.id]

    def test_a_stream_ends_with_the_same(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model=EXTRACTIVE, input=QUESTION) as stream:
            pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
            told = stream.get_final_response()

        assert pieces == ["Le passeport ", "coûte 86 €."]
        assert told.output_text == "Le passeport coûte 86 €."
        assert told.usage is not None
        assert told.usage.total_tokens == 10
        assert told.model_extra is not None
        assert told.model_extra["findings"] == []

    def test_a_field_that_it_cannot_honour_is_the_clients_own_error(
        self, client: openai.OpenAI
    ) -> None:
        with pytest.raises(openai.BadRequestError, match="outil"):
            client.responses.create(model=EXTRACTIVE, input=QUESTION, tools=[WEATHER])  # type: ignore[list-item]  # a plain dictionary

    def test_what_was_answered_is_not_kept(self, client: openai.OpenAI) -> None:
        told = client.responses.create(model=EXTRACTIVE, input=QUESTION)

        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(told.id)
        with pytest.raises(openai.BadRequestError, match="previous_response_id"):
            client.responses.create(model=EXTRACTIVE, input=QUESTION, previous_response_id=told.id)


def test_an_error_in_mid_stream_is_a_failed_response() -> None:
    broken = ScriptedAnswerer(["Le passeport "], error=InferenceError("Le modèle s'est tu."))
    with answered_by(broken) as client:
        *_, last = client.responses.create(model=EXTRACTIVE, input=QUESTION, stream=True)

    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.message == "Le modèle s'est tu."
    assert last.response.output_text == "Le passeport "


def test_an_error_before_the_first_piece_has_its_own_status() -> None:
    with (
        answered_by(ScriptedAnswerer(error=InferenceError("Le modèle s'est tu."))) as client,
        pytest.raises(openai.APIStatusError, match="s'est tu") as caught,
    ):
        client.responses.create(model=EXTRACTIVE, input=QUESTION, stream=True)

    assert caught.value.status_code == 502


class TestAnEngine:
    def test_thoughts_and_calls_are_streamed_as_items(self) -> None:
        async def main() -> None:
            engine = Engine(*CALLING)
            async with (
                beside(engine) as client,
                client.responses.stream(model="big", input="Quel temps ?", tools=[WEATHER]) as said,  # type: ignore[list-item]  # a plain dictionary
            ):
                kinds = [event.type async for event in said]
                told = await said.get_final_response()
            thought, call = told.output
            assert thought.type == "reasoning"
            assert thought.content is not None
            assert thought.content[0].text == "Il faut demander."
            assert call.type == "function_call"
            assert (call.call_id, call.name, call.arguments) == ("c1", "temps", '{"ville":"Paris"}')
            assert kinds.count("response.function_call_arguments.delta") == 2
            [(path, asked)] = engine.heard
            assert path == "/v1/chat/completions"
            assert asked["tools"][0]["function"]["name"] == "temps"
            assert asked["stream_options"] == {"include_usage": True}

        uvloop.run(main())

    def test_a_whole_answer_that_was_cut_short_is_incomplete(self) -> None:
        async def main() -> None:
            async with beside(Engine(orjson.dumps(WHOLE))) as client:
                told = await client.responses.create(
                    model="big", input="?", max_output_tokens=7, instructions="Soyez bref."
                )
            assert (told.output_text, told.status) == ("Oui.", "incomplete")
            assert told.incomplete_details is not None
            assert told.incomplete_details.reason == "max_output_tokens"
            assert told.usage is not None
            assert told.usage.input_tokens_details.cached_tokens == 3
            assert told.usage.total_tokens == 12
            assert told.instructions == "Soyez bref."

        uvloop.run(main())

    @pytest.mark.parametrize(
        ("status", "said", "kind"),
        [
            (429, b'{"error":{"message":"Plein.","code":"full"}}', openai.RateLimitError),
            (400, b'{"error":{"message":"top_k"}}', openai.BadRequestError),
            (500, b"Traceback", openai.InternalServerError),
        ],
    )
    @pytest.mark.parametrize("operation", ["responses", "completions"])
    def test_its_errors_are_the_clients_own(
        self, operation: str, status: int, said: bytes, kind: type[openai.APIError]
    ) -> None:
        async def main() -> None:
            async with beside(Engine(said, status=status)) as client:
                asked = {"model": "big", "input": "?", "prompt": "?"}
                asked.pop("prompt" if operation == "responses" else "input")
                with pytest.raises(kind):
                    await client.post(f"/{operation}", cast_to=object, body=asked)

        uvloop.run(main())

    def test_a_page_in_place_of_an_answer_is_its_fault(self) -> None:
        async def main() -> None:
            async with beside(Engine(b"<html>")) as client:
                with pytest.raises(openai.InternalServerError) as caught:
                    await client.responses.create(model="big", input="?")
            assert caught.value.status_code == 502

        uvloop.run(main())

    def test_a_stream_that_breaks_off_is_a_failed_response(self) -> None:
        async def main() -> None:
            async with beside(Engine(chunk({"content": "Oui"}))) as client:
                events = await client.responses.create(model="big", input="?", stream=True)
                kinds = [event.type async for event in events]
            assert kinds[-1] == "response.failed"
            assert kinds.count("response.failed") == 1

        uvloop.run(main())

    def test_a_reader_who_leaves_stops_the_engine(self) -> None:
        async def main() -> None:
            engine = Engine(chunk({"content": "Oui"}), endless=True)
            async with beside(engine) as client:
                events = await client.responses.create(model="big", input="?", stream=True)
                async for event in events:
                    if event.type == "response.output_text.delta":
                        break
                await events.close()
                await asyncio.wait_for(engine.abandoned.wait(), 1.0)

        uvloop.run(main())

    def test_a_client_that_waits_no_longer_stops_the_engine(self) -> None:
        async def main() -> None:
            engine = Engine(endless=True)
            async with beside(engine) as client:
                with pytest.raises(openai.APITimeoutError):
                    await client.with_options(timeout=0.3).responses.create(model="big", input="?")
                await asyncio.wait_for(engine.abandoned.wait(), PATIENCE)

        uvloop.run(main())

    def test_a_text_to_complete_is_passed_as_it_is(self) -> None:
        async def main() -> None:
            said = {"object": "text_completion", "choices": [{"index": 0, "text": " Paris"}]}
            engine = Engine(orjson.dumps(said))
            async with beside(engine) as client:
                told = await client.completions.create(
                    model="big", prompt="La capitale :", n=1, echo=True, stop=["."], logprobs=2
                )
            assert told.choices[0].text == " Paris"
            assert engine.heard == [
                (
                    "/v1/completions",
                    {
                        "model": "big",
                        "prompt": "La capitale :",
                        "n": 1,
                        "echo": True,
                        "stop": ["."],
                        "logprobs": 2,
                    },
                )
            ]

        uvloop.run(main())

    def test_rag_has_no_place_in_a_text_to_complete(self) -> None:
        async def main() -> None:
            async with beside(Engine()) as client:
                with pytest.raises(openai.BadRequestError, match="rag"):
                    await client.completions.create(
                        model="big", prompt="?", extra_body={"rag": {"strategy": "last"}}
                    )

        uvloop.run(main())
