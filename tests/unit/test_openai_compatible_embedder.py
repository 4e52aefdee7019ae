"""What the embedder of OpenAI-compatible servers asks, and makes of bad servers."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypedDict, Unpack

import aiohttp
import numpy as np
import orjson
import pytest
from aiohttp import web

from albert.domain.errors import InferenceError, ModelNotFound, ModelOverloaded, ModelUnreachable
from albert.inference.contract import Vectors
from albert.inference.openai_compatible_embedder import OpenAIEmbedder, Timeouts
from albert.inference.prefixes import Prefixes, prefixes_of

Role = Literal["query", "document"]


class Options(TypedDict, total=False):
    key: str
    prefixes: Prefixes | None
    context: int
    batch: int
    timeouts: Timeouts


KEY = "sk-secret-0123456789"
Body = dict[str, Any]
Answers = Callable[[Body], web.Response | None]


def vectors(*rows: object) -> web.Response:
    return web.json_response({"data": [{"index": n, "embedding": r} for n, r in enumerate(rows)]})


class Server:
    """Answers each call as it is told to, or never; remembers what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.asked: list[Body] = []
        self.keys: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Authorization", ""))
        self.asked.append(await request.json())
        answer = self._answers(self.asked[-1])
        if answer is None:
            await asyncio.Event().wait()
            raise AssertionError
        return answer

    @property
    def inputs(self) -> list[list[str]]:
        return [body["input"] for body in self.asked]


@asynccontextmanager
async def at(server: Server, **more: Unpack[Options]) -> AsyncIterator[OpenAIEmbedder]:
    application = web.Application()
    application.router.add_post("/v1/embeddings", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
            yield OpenAIEmbedder(address, "m", session=session, **more)
    finally:
        await runner.cleanup()


def embed(server: Server, *texts: str, role: Role = "document", **more: Unpack[Options]) -> Vectors:
    async def scenario() -> Vectors:
        async with at(server, **more) as embedder:
            return await embedder.embed(texts, role=role)

    return asyncio.run(scenario())


def one_each(body: Body) -> web.Response:
    """A vector for each text: (1, its length), not of unit norm."""
    return vectors(*([1.0, float(len(text))] for text in body["input"]))


class TestAsking:
    def test_texts_go_in_batches_and_come_back_in_order(self) -> None:
        server = Server(one_each)
        rows = embed(server, "a", "bb", "ccc", batch=2)
        assert server.inputs == [["a", "bb"], ["ccc"]]
        np.testing.assert_allclose(rows[:, 1] / rows[:, 0], [1, 2, 3], rtol=1e-6)

    def test_rows_are_given_unit_norm(self) -> None:
        rows = embed(Server(lambda _: vectors([3.0, 4.0])), "a")
        np.testing.assert_allclose(rows, [[0.6, 0.8]])

    def test_base64_is_asked_for_and_read(self) -> None:
        encoded = base64.b64encode(np.array([0, 2], dtype="<f4").tobytes()).decode()
        server = Server(lambda _: vectors(encoded))
        np.testing.assert_array_equal(embed(server, "a"), [[0, 1]])
        assert server.asked[0]["encoding_format"] == "base64"

    def test_vectors_told_in_another_order_are_put_back(self) -> None:
        data = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]
        rows = embed(Server(lambda _: web.json_response({"data": data})), "a", "b")
        np.testing.assert_array_equal(rows, [[1, 0], [0, 1]])

    @pytest.mark.parametrize(("role", "sent"), [("query", "query: a"), ("document", "passage: a")])
    def test_a_text_gets_the_prefix_of_its_role(self, role: Role, sent: str) -> None:
        server = Server(one_each)
        embed(server, "a", role=role, prefixes=Prefixes("query: ", "passage: "))
        assert (server.inputs, "doc_type" in server.asked[0]) == ([[sent]], False)

    @pytest.mark.parametrize(("role", "told"), [("query", "query"), ("document", "passage")])
    def test_a_server_that_prefixes_is_told_the_role(self, role: Role, told: str) -> None:
        server = Server(one_each)
        embed(server, "a", role=role, prefixes=None)
        assert (server.inputs, server.asked[0]["doc_type"]) == ([["a"]], told)

    def test_the_key_goes_in_the_header(self) -> None:
        server = Server(one_each)
        embed(server, "a", key=KEY)
        assert server.keys == [f"Bearer {KEY}"]


class TestLongTexts:
    def test_a_text_longer_than_the_context_is_windowed_and_averaged_by_tokens(self) -> None:
        # 40 - 2 tokens a window; "ab" counts 1, " ab" 2, the last blank 1:
        # 1 + 18 * 2 = 37 in the first window, 11 * 2 + 1 = 23 in the second
        def by_window(body: Body) -> web.Response:
            return vectors(*([1, 0] if text[0] == "a" else [0, 1] for text in body["input"]))

        server = Server(by_window)
        (row,) = embed(server, "ab " * 30, context=40)
        assert "".join(server.inputs[0]) == "ab " * 30
        assert [len(window.split()) for window in server.inputs[0]] == [19, 11]
        # whole, the windows have 56 and 34 characters: 28 and 17 tokens
        np.testing.assert_allclose(row, np.array([28, 17]) / np.hypot(28, 17), rtol=1e-6)

    def test_the_prefix_has_its_place_in_each_window(self) -> None:
        server = Server(one_each)
        embed(server, "ab " * 30, context=50, prefixes=Prefixes("query: ", "passage: "))
        assert len(server.inputs[0]) > 1
        assert all(window.startswith("passage: ") for window in server.inputs[0])

    def test_without_a_context_the_server_has_the_last_word(self) -> None:
        server = Server(one_each)
        embed(server, "ab " * 2000)
        assert len(server.inputs[0]) == 1

    def test_a_context_without_room_is_refused(self) -> None:
        with pytest.raises(InferenceError, match=r"engine\.context"):
            embed(Server(one_each), "a", context=12)


class TestBadServers:
    @pytest.mark.parametrize(
        ("status", "error", "says"),
        [
            (400, InferenceError, "refuse la demande (erreur 400)"),
            (401, InferenceError, "clé"),
            (403, InferenceError, "clé"),
            (404, ModelNotFound, "'m'"),
            (429, ModelOverloaded, "plus tard"),
            (500, InferenceError, "erreur 500"),
            (502, ModelUnreachable, "mandataire"),
            (503, ModelOverloaded, "plus tard"),
            (307, InferenceError, "erreur 307"),
        ],
    )
    def test_each_status_has_its_error(
        self, status: int, error: type[InferenceError], says: str
    ) -> None:
        server = Server(lambda _: web.Response(status=status, headers={"Location": "/v1/x"}))
        with pytest.raises(error) as raised:
            embed(server, "a", key=KEY)
        assert type(raised.value) is error
        assert says in str(raised.value)
        assert KEY not in str(raised.value)

    def test_a_text_too_long_for_the_server_has_its_own_words(self) -> None:
        body = {"error": {"code": "context_length_exceeded"}}
        with pytest.raises(InferenceError, match=r"engine\.context"):
            embed(Server(lambda _: web.json_response(body, status=400)), "a")

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>",
            b"[]",
            b"{}",
            b'{"data": []}',
            b'{"data": [{"index": 1, "embedding": [1]}]}',
            b'{"data": [{"index": 0, "embedding": ["x"]}]}',
            b'{"data": [{"index": 0, "embedding": "%%"}]}',
            b'{"data": [{"index": 0, "embedding": [0, 0]}]}',
            b'{"data": [{"index": 0, "embedding": []}]}',
            b'{"data": [{"index": 0, "embedding": [[1, 2]]}]}',
            b'{"data": [{"index": 0, "embedding": "AADAfw=="}]}',  # not a number
        ],
    )
    def test_nonsense_is_an_error(self, body: bytes) -> None:
        with pytest.raises(InferenceError, match="illisible"):
            embed(Server(lambda _: web.Response(body=body)), "a")

    def test_a_model_that_changes_its_dimension_is_told(self) -> None:
        server = Server(lambda body: vectors([1.0] * len(body["input"][0])))
        with pytest.raises(InferenceError, match="changé de modèle"):
            embed(server, "a", "bb", batch=1)

    def test_a_server_that_never_answers_is_given_up(self) -> None:
        with pytest.raises(ModelUnreachable, match="tarde"):
            embed(Server(lambda _: None), "a", timeouts=Timeouts(first_byte=0.1))

    def test_nobody_listening_is_unreachable(self) -> None:
        async def scenario() -> None:
            async with aiohttp.ClientSession() as session:
                embedder = OpenAIEmbedder("http://127.0.0.1:1/v1", "m", session=session)
                with pytest.raises(ModelUnreachable, match="injoignable"):
                    await embedder.warm_up()
                with pytest.raises(InferenceError, match="pas encore répondu"):
                    _ = embedder.dimension

        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("model", "prefixes"),
    [
        ("intfloat/multilingual-e5-large", ("query: ", "passage: ")),
        ("intfloat/e5-base-v2", ("query: ", "passage: ")),
        ("BAAI/bge-m3", ("", "")),
        (
            "BAAI/bge-base-en-v1.5",
            ("Represent this sentence for searching relevant passages: ", ""),
        ),
        ("text-embedding-3-small", ("", "")),
    ],
)
def test_each_family_has_its_prefixes(model: str, prefixes: tuple[str, str]) -> None:
    assert prefixes_of(model) == prefixes


def test_an_instructed_model_has_an_instruction_for_queries_only() -> None:
    query, document = prefixes_of("intfloat/multilingual-e5-large-instruct")
    assert query.startswith("Instruct: ")
    assert query.endswith("\nQuery: ")
    assert document == ""


def test_what_is_sent_is_json() -> None:
    server = Server(one_each)
    embed(server, "é\n😀")
    assert orjson.dumps(server.inputs[0]) == '["é\\n😀"]'.encode()
