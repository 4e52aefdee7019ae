"""The API as clients meet it: real uvicorn on loopback, OpenAI's own client, readers who leave."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import openai
import pytest
import uvloop
from aiohttp import web
from http_served import PATIENCE, served, serving

from albert.api.app import create_app
from albert.asgi.run import listen, serve
from albert.assistant.contract import EXTRACTIVE
from albert.domain.errors import PortInUse
from albert.testing.answers import ScriptedAnswerer
from albert.testing.services import (
    KEY,
    PASSPORT,
    ListRetriever,
    Upstream,
    dispatcher_to,
    scripted,
)
from albert.wire.sse import Decoder

pytestmark = pytest.mark.integration

MESSAGES: list[openai.types.chat.ChatCompletionMessageParam] = [
    {"role": "user", "content": "Combien coûte un passeport ?"}
]
STREAMED = {"model": EXTRACTIVE, "stream": True, "messages": MESSAGES}
BEARER = {"authorization": f"Bearer {KEY}"}


class LanguageModel:
    """A model's server that remembers what it was sent, and says ``said``.

    An endless one then waits: for ``released``, or for its reader to leave, which sets
    ``abandoned``.
    """

    def __init__(self, *said: bytes, status: int = 200, endless: bool = False) -> None:
        self.said = said
        self.status = status
        self.endless = endless
        self.bodies: list[bytes] = []
        self.keys: list[str] = []
        self._transports: list[asyncio.Transport] = []
        self.released = asyncio.Event()
        self.abandoned = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self._transports.append(request.transport)
        self.bodies.append(await request.read())
        self.keys.append(request.headers.get("authorization", ""))
        kind = "text/event-stream" if b'"stream"' in self.bodies[-1] else "application/json"
        headers = {"content-type": kind, "x-model": "m", "keep-alive": "timeout=5"}
        response = web.StreamResponse(status=self.status, headers=headers)
        await response.prepare(request)
        for part in self.said:
            await response.write(part)
        if self.endless:
            try:
                await self.released.wait()
                await response.write(b"data: [DONE]\n\n")
            except asyncio.CancelledError:
                self.abandoned.set()
                raise
        return response

    def crash(self) -> None:
        """Break the connection off, in the middle of what is being said."""
        for transport in self._transports:
            transport.abort()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Upstream]:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        with listen("127.0.0.1", 0) as listener:
            await web.SockSite(runner, listener).start()
            port = listener.getsockname()[1]
            try:
                yield Upstream(base_url=f"http://127.0.0.1:{port}/v1", model="big", key="sk-theirs")
            finally:
                await runner.cleanup()


async def post(
    address: str, body: object, path: str = "/v1/chat/completions"
) -> tuple[int, dict[str, str], bytes]:
    async with (
        aiohttp.ClientSession(headers=BEARER) as client,
        client.post(address + path, json=body) as response,
    ):
        return response.status, dict(response.headers), await response.read()


class TestOpenAIClient:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls) -> Iterator[openai.OpenAI]:
        with (
            served(create_app(scripted(retriever=ListRetriever([PASSPORT])))) as address,
            openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as client,
        ):
            yield client

    def test_models_are_listed(self, client: openai.OpenAI) -> None:
        assert [model.id for model in client.models.list()] == [EXTRACTIVE, "test-embedder"]

    def test_an_answer_and_the_passages_it_rests_on(self, client: openai.OpenAI) -> None:
        answer = client.chat.completions.create(
            model=EXTRACTIVE,
            messages=MESSAGES,
            extra_body={"rag": {"strategy": "last", "mode": "rag", "limit": 3}},
        )

        assert answer.choices[0].message.content == "Le passeport coûte 86 €."
        assert answer.model_extra is not None
        assert answer.model_extra["rag_context"] == [
            {"strategy": "last", "references": [PASSPORT.id]}
        ]

    def test_a_stream_is_read_piece_by_piece(self, client: openai.OpenAI) -> None:
        chunks = list(
            client.chat.completions.create(
                model=EXTRACTIVE,
                messages=MESSAGES,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"rag": {"strategy": "last"}},
            )
        )

        *told, finish, counted = chunks
        assert "".join(chunk.choices[0].delta.content or "" for chunk in told) == (
            "Le passeport coûte 86 €."
        )
        assert finish.choices[0].finish_reason == "stop"
        assert finish.model_extra is not None
        assert finish.model_extra["rag_context"][0]["references"] == [PASSPORT.id]
        assert counted.usage is not None
        assert counted.usage.total_tokens == 10

    def test_embeddings_come_as_floats(self, client: openai.OpenAI) -> None:
        answer = client.embeddings.create(model="test-embedder", input=["a", "b"])

        assert [item.embedding for item in answer.data] == [[0.0, 1.0], [0.0, 1.0]]

    def test_an_unknown_model_is_the_clients_own_error(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="gpt-9", messages=MESSAGES)

        assert caught.value.code == "model_not_found"

    def test_a_wrong_key_is_the_clients_own_error(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="albert-another").models.list()


class TestTheReaderLeaves:
    @pytest.mark.parametrize("stream", [True, False])
    def test_the_answer_stops(self, stream: bool) -> None:
        answerer = ScriptedAnswerer(["Le passeport "], endless=True)

        async def main() -> None:
            async with serving(create_app(scripted(answerer))) as (address, _):
                async with aiohttp.ClientSession(headers=BEARER) as client:
                    call = asyncio.create_task(
                        client.post(
                            f"{address}/v1/chat/completions", json={**STREAMED, "stream": stream}
                        )
                    )
                    assert await asyncio.to_thread(answerer.asked.wait, PATIENCE)
                    if stream:
                        await (await call).content.readline()
                        (await call).close()
                    call.cancel()
                    await asyncio.wait([call])
                assert await asyncio.to_thread(answerer.closed.wait, 1.0)

        uvloop.run(main())

    def test_the_model_behind_stops_too(self) -> None:
        async def main() -> None:
            model = LanguageModel(b"data: {}\n\n", endless=True)
            async with model.running() as upstream:
                app = create_app(scripted(ScriptedAnswerer(), upstreams={"big": upstream}))
                async with serving(app) as (address, _):
                    async with (
                        aiohttp.ClientSession(headers=BEARER) as client,
                        client.post(
                            f"{address}/v1/chat/completions", json={**STREAMED, "model": "big"}
                        ) as response,
                    ):
                        assert await response.content.readline() == b"data: {}\n"
                    await asyncio.wait_for(model.abandoned.wait(), 1.0)

        uvloop.run(main())


class TestPassage:
    def test_bytes_pass_both_ways_unchanged(self) -> None:
        body = b'{ "model":"big",  "messages": [], "unknown": 1 }'
        said = b'{ "odd":   true }'

        async def main() -> None:
            model = LanguageModel(said)
            async with model.running() as upstream:
                app = create_app(scripted(ScriptedAnswerer(), upstreams={"big": upstream}))
                async with (
                    serving(app) as (address, _),
                    aiohttp.ClientSession(headers=BEARER) as client,
                    client.post(f"{address}/v1/chat/completions", data=body) as response,
                ):
                    assert await response.read() == said
                    assert response.headers["x-model"] == "m"
                    assert "keep-alive" not in response.headers
                    assert response.headers["x-request-id"]
            assert model.bodies == [body]
            assert model.keys == ["Bearer sk-theirs"]

        uvloop.run(main())

    def test_a_model_listed_under_another_name_hears_its_own(self) -> None:
        async def main() -> None:
            model = LanguageModel(b"{}")
            async with model.running() as upstream:
                app = create_app(scripted(ScriptedAnswerer(), upstreams={"grand": upstream}))
                async with serving(app) as (address, _):
                    await post(address, {"model": "grand", "messages": []})
            assert model.bodies == [b'{"model":"big","messages":[]}']

        uvloop.run(main())

    @pytest.mark.parametrize(
        ("status", "said", "seen", "code"),
        [
            (500, b"Traceback", 502, b"model_unreachable"),
            (503, b"<html>", 503, b"model_overloaded"),
            (503, b'{"error":{"message":"full","code":"full"}}', 503, b'"code":"full"'),
            (401, b'{"error":{"message":"sk-theirs"}}', 503, b"model_down"),
            (302, b"", 503, b"model_down"),
            (422, b'{"error":{"message":"top_k"}}', 422, b"top_k"),
        ],
    )
    def test_a_model_in_trouble_is_told_in_openais_form(
        self, status: int, said: bytes, seen: int, code: bytes
    ) -> None:
        async def main() -> None:
            async with LanguageModel(said, status=status).running() as upstream:
                app = create_app(scripted(ScriptedAnswerer(), upstreams={"big": upstream}))
                async with serving(app) as (address, _):
                    answered = await post(address, {"model": "big", "messages": []})
            assert answered[0] == seen
            assert code in answered[2]

        uvloop.run(main())

    def test_a_model_that_is_not_there_is_503(self) -> None:
        with listen("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
        gone = Upstream(base_url=f"http://127.0.0.1:{port}/v1", model="big")

        async def main() -> None:
            app = create_app(scripted(ScriptedAnswerer(), upstreams={"big": gone}))
            async with serving(app) as (address, _):
                status, _, body = await post(address, {"model": "big", "messages": []})
            assert (status, b"model_down" in body) == (503, True)

        uvloop.run(main())

    def test_with_rag_the_answerer_speaks_and_without_it_the_model_itself(self) -> None:
        async def main() -> None:
            async with LanguageModel(b'{"said":"raw"}').running() as upstream:
                answerer = ScriptedAnswerer(["Selon la fiche…"], chunks=[PASSPORT], model="big")
                app = create_app(scripted(answerer, upstreams={"big": upstream}))
                async with serving(app) as (address, _):
                    asked = {"model": "big", "messages": MESSAGES}
                    _, _, raw = await post(address, asked)
                    _, _, cited = await post(address, {**asked, "rag": {"strategy": "last"}})
            assert raw == b'{"said":"raw"}'
            assert b'"mode":"model"' in cited

        uvloop.run(main())

    def test_a_connection_that_the_model_closed_meanwhile_is_no_error(self) -> None:
        async def main() -> list[int]:
            model = LanguageModel(b"{}")
            async with model.running() as upstream:
                app = create_app(scripted(ScriptedAnswerer(), upstreams={"big": upstream}))
                async with serving(app) as (address, _):
                    first = await post(address, {"model": "big", "messages": []})
                    model.crash()
                    second = await post(address, {"model": "big", "messages": []})
            return [first[0], second[0]]

        assert uvloop.run(main()) == [200, 200]

    def test_a_model_that_breaks_off_ends_the_stream_with_an_error(self) -> None:
        async def main() -> bytes:
            model = LanguageModel(b'data: {}\n\ndata: {"choi', endless=True)
            async with model.running() as upstream:
                app = create_app(scripted(ScriptedAnswerer(), upstreams={"big": upstream}))
                async with (
                    serving(app) as (address, _),
                    aiohttp.ClientSession(headers=BEARER) as client,
                    client.post(
                        f"{address}/v1/chat/completions", json={**STREAMED, "model": "big"}
                    ) as response,
                ):
                    first = await response.content.readany()
                    model.crash()
                    return first + await response.read()

        _, last, done = Decoder().feed(uvloop.run(main()))
        assert '"code":"model_unreachable"' in last.data
        assert '"delta":{}' in last.data
        assert done.data == "[DONE]"

    def test_a_model_that_says_nothing_for_too_long_is_504(self) -> None:
        async def main() -> tuple[int, dict[str, str], bytes]:
            async with LanguageModel(endless=True).running() as upstream:
                to_it = dispatcher_to({"big": upstream}, timeouts={"first_byte": 0.1})
                app = create_app(scripted(ScriptedAnswerer(), dispatcher=to_it))
                async with serving(app) as (address, _):
                    return await post(address, {**STREAMED, "model": "big"})

        status, _, body = uvloop.run(main())
        assert (status, b"model_too_slow" in body) == (504, True)


SERVICE = """
import uvloop
from albert.api.app import create_app
from albert.asgi.exchange import Reply, Request
from albert.asgi.problems import Problem
from albert.asgi.run import serve
from albert.testing.answers import ScriptedAnswerer
from albert.testing.services import scripted

app = create_app(scripted(ScriptedAnswerer(["Le passeport "], endless=True)))
uvloop.run(serve(app, "127.0.0.1", 0, lambda address: print(address, flush=True)))
print("closed", flush=True)
"""


class TestStopping:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_open_streams_then_the_caller_goes_on(self, number: int) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as client:
                stream = client.chat.completions.create(
                    model=EXTRACTIVE, messages=MESSAGES, stream=True
                )
                next(iter(stream))
                process.send_signal(number)
                with pytest.raises(openai.APIError, match="s'arrête"):
                    list(stream)
            assert process.stdout.read() == "closed\n"
            assert process.wait(PATIENCE) == 0

    def test_an_open_stream_is_ended_with_an_event_that_says_why(self) -> None:
        answerer = ScriptedAnswerer(["Le passeport "], endless=True)

        async def main() -> bytes:
            async with (
                serving(create_app(scripted(answerer))) as (address, stop),
                aiohttp.ClientSession(headers=BEARER) as client,
                client.post(f"{address}/v1/chat/completions", json=STREAMED) as response,
            ):
                await response.content.readline()
                stop.set()
                return await asyncio.wait_for(response.read(), 5.0)

        *_, last, done = Decoder().feed(uvloop.run(main()))
        assert '"code":"stopping"' in last.data
        assert done.data == "[DONE]"
        assert answerer.closed.is_set()

    def test_readiness_turns_at_once_and_no_other_answer_is_begun(self) -> None:
        answerer = ScriptedAnswerer(["Le passeport "], endless=True)

        async def main() -> tuple[list[int], bytes]:
            async with (
                serving(create_app(scripted(answerer))) as (address, stop),
                aiohttp.ClientSession(headers=BEARER) as client,
                client.post(f"{address}/v1/chat/completions", json=STREAMED) as response,
            ):
                await response.content.readline()
                stop.set()
                await asyncio.sleep(0.05)
                statuses = []
                for path in ("/health/ready", "/health/live"):
                    async with client.get(address + path) as probe:
                        statuses.append(probe.status)
                statuses.append((await post(address, STREAMED))[0])
                return statuses, await response.read()

        statuses, rest = uvloop.run(main())
        assert statuses == [503, 200, 503]
        assert b"[DONE]" in rest

    def test_an_answer_that_ends_in_time_is_whole(self) -> None:
        async def main() -> bytes:
            model = LanguageModel(b"data: {}\n\n", endless=True)
            async with model.running() as upstream:
                app = create_app(scripted(ScriptedAnswerer(), upstreams={"big": upstream}))
                async with (
                    serving(app) as (address, stop),
                    aiohttp.ClientSession(headers=BEARER) as client,
                    client.post(
                        f"{address}/v1/chat/completions", json={**STREAMED, "model": "big"}
                    ) as response,
                ):
                    first = await response.content.readline()
                    stop.set()
                    model.released.set()
                    return first + await response.read()

        assert uvloop.run(main()) == b"data: {}\n\ndata: [DONE]\n\n"


def test_a_port_in_use_is_said_in_one_sentence() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(PortInUse, match="ALBERT_PORT"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_behind_a_path_prefix_the_routes_are_found() -> None:
    async def main() -> list[int]:
        app = create_app(scripted())
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        task = asyncio.create_task(
            serve(app, "127.0.0.1", 0, ready.set_result, root_path="/albert", stop=stop)
        )
        address = await ready
        async with aiohttp.ClientSession(headers=BEARER) as client:
            statuses = [
                (await client.get(address + path)).status for path in ("/v1/models", "/health")
            ]
        stop.set()
        await task
        return statuses

    assert uvloop.run(main()) == [200, 200]


def test_a_reader_that_sends_half_a_request_and_leaves_harms_nobody() -> None:
    async def main() -> None:
        async with serving(create_app(scripted())) as (address, _):
            port = int(address.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as half:
                half.sendall(
                    b"POST /v1/embeddings HTTP/1.1\r\nhost: a\r\n"
                    b"authorization: Bearer " + KEY.encode() + b"\r\ncontent-length: 100\r\n\r\n{"
                )
            assert (await post(address, {"input": "a"}, "/v1/embeddings"))[0] == 200

    uvloop.run(main())
