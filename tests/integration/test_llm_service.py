# ruff: noqa: SIM117 — what is served, and what is called, are two things
"""The LLM service in front of engines that a test writes: routes, bytes, errors, departures."""

from __future__ import annotations

import asyncio
import io
import itertools
import json

import aiohttp
import pytest
from aiohttp import web
from http_double import Answer, Host, serving
from http_served import serving as served
from llm_served import NAME, Engine, calling
from yarl import URL

from albert.routing.table import Engine as EngineOptions
from albert.routing.table import RoutedModel
from albert.serving.engine_embedder import EngineEmbedder
from albert.serving.llm_service import LLMService
from albert.testing.models import HashEmbedder

EVENTS = b'data: {"choices": [{"delta": {"content": "Bon"}}]}\n\n: ping\n\ndata: [DONE]\n\n'
CALL = {"model": NAME, "messages": []}


def streaming(*parts: bytes, content_type: str = "text/event-stream") -> Answer:
    """Writes the parts, one after the other, and ends the answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type, "X-Own": "1"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        return response

    return answer


def completions(*texts: tuple[int, str]) -> Answer:
    said = [json.dumps({"choices": [{"index": i, "text": text}]}) for i, text in texts]
    return streaming(*(f"data: {one}\n\n".encode() for one in said), b"data: [DONE]\n\n")


def refusing(status: int, body: bytes, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


class Heard:
    """An engine that keeps the bodies it was sent, and answers as ``answer`` does."""

    def __init__(self, answer: Answer) -> None:
        self.bodies: list[bytes] = []
        self._answer = answer

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        return await self._answer(request)


def engine_of(host: Host, **more: object) -> Engine:
    return Engine(f"{host.address}/v1", **more)  # type: ignore[arg-type]  # a test's own arguments


def test_the_engine_s_stream_passes_byte_for_byte() -> None:
    async def scenario() -> None:
        heard = Heard(streaming(EVENTS[:20], EVENTS[20:]))
        body = b'{"model":"petit",  "messages": [], "stream": true, "neuf": {"a": 1}}'
        async with serving(heard) as host, calling(engine_of(host)) as client:
            async with client.post("/v1/chat/completions?a=%20b", data=body) as response:
                assert await response.read() == EVENTS
                assert response.headers["X-Own"] == "1"
                assert response.content_type == "text/event-stream"
        [(path, headers)] = host.asked
        assert (path, heard.bodies) == ("/v1/chat/completions", [body])
        assert headers["Authorization"] == "Bearer clé-du-moteur"

    asyncio.run(scenario())


def test_what_an_engine_needs_is_added_to_streams_only() -> None:
    async def scenario() -> None:
        heard = Heard(streaming(EVENTS))
        async with (
            serving(heard) as host,
            calling(engine_of(host, request_extra={"return_progress": True})) as client,
        ):
            for body in ({"stream": True}, {"stream": False}):
                async with client.post("/v1/chat/completions", json=CALL | body):
                    pass
        sent = [json.loads(body).get("return_progress") for body in heard.bodies]
        assert sent == [True, None]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        ({"prompt": "Il"}, 200, {"text": ["était une"]}),
        ({}, 400, "« prompt » manque"),
        ({"prompt": ["Il"]}, 422, "« prompt » doit être une chaîne"),
        ({"prompt": "Il", "stream": "oui"}, 422, "« stream » doit être un booléen"),
        ({"prompt": "Il", "n": 99}, 400, "« n » doit valoir entre 1 et 16"),
    ],
)
def test_generate_answers_the_text_that_follows(
    said: dict[str, object], status: int, told: object
) -> None:
    async def scenario() -> None:
        engine = completions((0, "était "), (0, "une"))
        async with serving(engine) as host, calling(engine_of(host)) as client:
            async with client.post("/generate", json=said) as response:
                answer = await response.json()
                assert response.status == status
        if isinstance(told, str):
            assert told in answer["error"]["message"]
        else:
            assert answer == told

    asyncio.run(scenario())


def test_generate_streams_the_text_so_far_each_ended_by_nul() -> None:
    async def scenario() -> None:
        engine = completions((0, "un"), (1, "deux"), (0, " trois"))
        async with serving(engine) as host, calling(engine_of(host)) as client:
            body = {"prompt": "Il", "stream": True, "n": 2}
            async with client.post("/generate", json=body) as response:
                said = await response.read()
        *items, rest = said.split(b"\0")
        assert rest == b""
        assert json.loads(items[-1]) == {"text": ["un trois", "deux"]}
        texts = [json.loads(item)["text"] for item in items]
        for before, after in itertools.pairwise(texts):
            assert all(b.startswith(a) for a, b in zip(before, after, strict=True))

    asyncio.run(scenario())


def test_a_silent_model_still_gives_one_item() -> None:
    async def scenario() -> None:
        async with serving(completions()) as host, calling(engine_of(host)) as client:
            async with client.post("/generate", json={"prompt": "", "stream": True}) as response:
                assert await response.read() == b'{"text":[""]}\0'

    asyncio.run(scenario())


def test_generate_says_its_defaults_under_the_engine_s_names() -> None:
    async def scenario() -> None:
        heard = Heard(completions((0, "a")))
        model = RoutedModel(name=NAME, driver="llama.cpp", file="x.gguf", served_name="là-bas")
        defaults = {"temperature": 0.3, "repetition_penalty": 1.2, "stop_token_ids": [2]}
        engine = {"unable": {"stop_token_ids": "Pas de jetons d'arrêt."}}
        async with (
            serving(heard) as host,
            calling(engine_of(host, **engine), model, defaults=defaults) as client,
        ):
            body = {"prompt": "Il", "temperature": 0.9, "neuf": 1, "top_p": None}
            async with client.post("/generate", json=body) as response:
                assert response.status == 200
            refused = {"prompt": "Il", "stop_token_ids": [3]}
            async with client.post("/generate", json=refused) as response:
                assert response.status == 400
                assert (await response.json())["error"]["message"] == "Pas de jetons d'arrêt."
        assert json.loads(heard.bodies[0]) == {
            "model": "là-bas",
            "prompt": "Il",
            "stream": True,
            "temperature": 0.9,
            "repeat_penalty": 1.2,
            "neuf": 1,
        }

    asyncio.run(scenario())


async def _read(client: aiohttp.ClientSession, body: dict[str, object]) -> bytes:
    async with client.post("/generate", json=body) as response:
        response.raise_for_status()
        return await response.read()


@pytest.mark.parametrize(
    "answer",
    [
        streaming(b'data: {"choices": [{"index": 0, "text": "a"}]}\n\n'),
        streaming(b'data: {"error": {"message": "Plus de m\xc3\xa9moire."}}\n\n'),
        streaming(b"data: <html>\n\n"),
        streaming(b"data: \xff\n\n"),
    ],
)
def test_a_generation_that_breaks_off_is_no_answer(answer: Answer) -> None:
    async def scenario() -> None:
        async with serving(answer) as host, calling(engine_of(host)) as client:
            async with client.post("/generate", json={"prompt": "Il"}) as response:
                assert response.status == 502
            with pytest.raises(aiohttp.ClientError):  # cut: it does not end as a whole one does
                await _read(client, {"prompt": "Il", "stream": True})

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (refusing(400, b'{"error": {"message": "trop long", "n_ctx": 9}}'), 400, "trop long"),
        (refusing(404, b'{"object": "error", "message": "inconnu"}'), 404, "inconnu"),
        (refusing(422, b'{"detail": "mal dit"}'), 422, "mal dit"),
        (refusing(500, b"<html>"), 500, "a échoué (500)"),
        (refusing(429, b"{}"), 429, "a échoué (429)"),
        (refusing(401, b"{}"), 502, "nous refuse (401)"),
        (refusing(302, b"", Location="http://127.0.0.1:1/"), 502, "nous refuse (302)"),
    ],
)
def test_the_engine_s_errors_have_openai_s_form(answer: Answer, status: int, message: str) -> None:
    async def scenario() -> None:
        async with serving(answer) as host, calling(engine_of(host)) as client:
            async with client.post("/v1/chat/completions", json=CALL) as response:
                error = (await response.json())["error"]
                assert response.status == status
                assert message in error["message"]
                assert {"message", "type", "param", "code"} <= error.keys()
                assert ("Retry-After" in response.headers) == (status == 429)
                if b"n_ctx" in json.dumps(error).encode():
                    assert error["n_ctx"] == 9

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/generate", "/v1/chat/completions", "/health"])
@pytest.mark.parametrize(
    "engine",
    [Engine(ready=False, detail="« petit » redémarre."), Engine("http://127.0.0.1:9/v1")],
    ids=["starting", "gone"],
)
def test_an_engine_away_is_503_with_when_to_come_back(path: str, engine: Engine) -> None:
    async def scenario() -> None:
        async with calling(engine) as client:
            method = "GET" if path == "/health" else "POST"
            body = None if path == "/health" else {"prompt": "Il", **CALL}
            async with client.request(method, path, json=body) as response:
                if path == "/health" and engine.ready:
                    assert response.status == 200
                    return
                assert response.status == 503
                assert response.headers["Retry-After"] == "2"
                said = (await response.json())["error"]["message"]
                assert said == (engine.detail or said)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "key", [None, "", "Bearer", "Bearer faux", "cle", "Basic cle", "Bearer cle2"]
)
def test_without_the_key_nothing_but_health_answers(key: str | None) -> None:
    async def scenario() -> None:
        headers = {} if key is None else {"Authorization": key}
        async with calling(Engine()) as client:
            address = client._base_url
            async with aiohttp.ClientSession(address, headers=headers) as stranger:
                for path in ("/models", "/v1/models", "/get_prompt_config", "/v1/x", "/ailleurs"):
                    async with stranger.get(path) as response:
                        assert response.status == 401
                        assert response.headers["WWW-Authenticate"] == "Bearer"
                async with stranger.get("/health") as response:
                    assert response.status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/", 404),
        ("GET", "/v1/%2e%2e/slots", 404),
        ("GET", "/v1/a/..%2f..%2fslots", 404),
        ("GET", "/v1//slots", 404),
        ("GET", "/v1/..%5cslots", 404),
        ("GET", "/generate", 405),
        ("POST", "/models", 405),
    ],
)
def test_nothing_else_of_the_engine_is_reached(method: str, path: str, status: int) -> None:
    async def scenario() -> None:
        async with serving(refusing(200, b"secret")) as host, calling(engine_of(host)) as client:
            address = f"{client._base_url}".rstrip("/")
            url = URL(address + path, encoded=True)
            async with client.request(method, url) as response:
                assert response.status == status
                assert "error" in await response.json()
        assert host.asked == []

    asyncio.run(scenario())


def test_models_are_ours_to_name() -> None:
    async def scenario() -> list[dict[str, object]]:
        embedder = HashEmbedder()
        async with calling(Engine(), embedder=embedder) as client:
            told = []
            for path in ("/models", "/v1/models"):
                async with client.get(path) as response:
                    told.append(await response.json())
            return told

    first, second = asyncio.run(scenario())
    assert first == second
    assert first["object"] == "list"
    assert [(card["object"], card["id"]) for card in first["data"]] == [  # type: ignore[attr-defined]  # JSON
        ("model", NAME),
        ("model", "hash"),
    ]


def test_the_configuration_of_prompts_is_told_as_it_is() -> None:
    async def scenario() -> None:
        async with calling(Engine(), prompt_config=b'{"prompts": []}') as client:
            async with client.get("/get_prompt_config") as response:
                assert await response.read() == b'{"prompts": []}'
                assert response.content_type == "application/json"

    asyncio.run(scenario())


def test_embeddings_are_those_of_the_model_beside() -> None:
    async def scenario() -> None:
        beside = "organisation/hash"
        model = RoutedModel(name=NAME, driver="openai", embeddings_hf_repo_id=beside)
        async with calling(Engine(), model, embedder=HashEmbedder()) as client:
            found = []
            for path, kind in (("/embeddings", "query"), ("/v1/embeddings", "passage")):
                body = {"input": ["un passeport"], "doc_type": kind, "model": beside}
                async with client.post(path, json=body) as response:
                    assert response.status == 200
                    found.append((await response.json())["data"][0]["embedding"])
            [query] = await HashEmbedder().embed(["un passeport"], role="query")
            [passage] = await HashEmbedder().embed(["un passeport"], role="document")
            assert found == [
                pytest.approx(query.tolist(), abs=1e-6),
                pytest.approx(passage.tolist(), abs=1e-6),
            ]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("beside", "told"),
    [("", "n'a pas de modèle de vecteurs"), ("a/b", "ne peut servir « a/b »")],
)
def test_without_a_model_beside_embeddings_are_not_found(beside: str, told: str) -> None:
    async def scenario() -> None:
        model = RoutedModel(name=NAME, driver="openai", embeddings_hf_repo_id=beside)
        async with calling(Engine(), model) as client:
            async with client.post("/embeddings", json={"input": "a"}) as response:
                assert response.status == 404
                assert told in (await response.json())["error"]["message"]

    asyncio.run(scenario())


def test_an_embedding_engine_answers_its_own() -> None:
    async def scenario() -> None:
        heard = Heard(refusing(200, b'{"data": []}', **{"Content-Type": "application/json"}))
        model = RoutedModel(name=NAME, driver="vllm", hf_repo_id="a/b", type="embeddings")
        async with serving(heard) as host, calling(engine_of(host), model) as client:
            async with client.post("/embeddings", json={"input": "a"}) as response:
                assert await response.read() == b'{"data": []}'
        assert [path for path, _ in host.asked] == ["/v1/embeddings"]

    asyncio.run(scenario())


def test_a_body_beyond_a_megabyte_is_refused() -> None:
    async def scenario() -> None:
        async with calling(Engine()) as client:
            async with client.post(
                "/generate", data=io.BytesIO(b" " * ((1 << 20) + 1))
            ) as response:
                assert response.status == 413

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/generate", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_reader_who_leaves_closes_the_engine_s_connection(path: str, *, stream: bool) -> None:
    async def scenario() -> None:
        begun, left = asyncio.Event(), asyncio.Event()

        async def endless(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            begun.set()
            try:
                while True:
                    await response.write(b'data: {"choices": [{"index": 0, "text": "a"}]}\n\n')
                    await asyncio.sleep(0.01)
            except (ConnectionError, asyncio.CancelledError):
                left.set()
                raise

        async with serving(endless) as host, calling(engine_of(host)) as client:
            call = asyncio.create_task(
                client.post(path, json={**CALL, "prompt": "Il", "stream": stream})
            )
            await begun.wait()
            if stream:
                (await call).close()
            else:
                call.cancel()
            await asyncio.wait_for(left.wait(), timeout=5)

    asyncio.run(scenario())


def test_a_service_that_stops_refuses_new_work_and_ends_what_runs() -> None:
    async def scenario() -> None:
        begun = asyncio.Event()

        async def slow(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(EVENTS[:52])
            begun.set()
            await asyncio.sleep(60)
            return response

        async with serving(slow) as host:
            service = LLMService(
                model=RoutedModel(name=NAME, driver="openai"),
                engine=engine_of(host),
                key="",
                prompt_config=b"{}",
                drain_seconds=0.1,
            )
            async with served(service) as (address, stop), aiohttp.ClientSession() as client:
                call = CALL | {"stream": True}
                response = await client.post(f"{address}/v1/chat/completions", json=call)
                await begun.wait()
                stop.set()
                said = await response.read()
        assert b"s'arr\xc3\xaate" in said
        assert said.endswith(b"data: [DONE]\n\n")

    asyncio.run(scenario())


def test_a_model_of_vectors_hears_prefixes_and_windows_that_its_engine_does_not_know() -> None:
    sent: list[list[str]] = []

    async def vectors(request: web.Request) -> web.StreamResponse:
        texts = (await request.json())["input"]
        sent.append(texts)
        data = [{"index": place, "embedding": [3.0, 4.0]} for place, _ in enumerate(texts)]
        return web.json_response({"object": "list", "data": data})

    async def scenario() -> list[float]:
        model = RoutedModel(
            name=NAME,
            type="embeddings",
            driver="vllm",
            hf_repo_id="intfloat/multilingual-e5-large",
            engine=EngineOptions(context=64),
        )
        async with serving(vectors) as host, aiohttp.ClientSession() as session:
            engine = engine_of(host)
            embedder = EngineEmbedder(engine, model, session)
            async with calling(engine, model, embedder=embedder) as client:
                body = {"input": ["mot " * 100, "court"], "doc_type": "query"}
                async with client.post("/embeddings", json=body) as response:
                    told = await response.json()
                engine.ready = False
                async with client.post("/embeddings", json=body) as response:
                    assert response.status == 503
        row: list[float] = told["data"][0]["embedding"]
        assert len(told["data"]) == 2
        return row

    assert asyncio.run(scenario()) == pytest.approx([0.6, 0.8])
    (texts,) = sent
    assert len(texts) > 2  # the long one in windows, nothing of it left out
    assert all(text.startswith("query: ") for text in texts)
    assert "".join(text.removeprefix("query: ") for text in texts[:-1]) == "mot " * 100
