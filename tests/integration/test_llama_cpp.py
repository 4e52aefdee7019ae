"""llama.cpp serving the smallest real model there is: a pipeline's proof, not a quality's."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from http_served import serving

from albert.api.app import create_app
from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError, ModelFileInvalid, ModelUnreachable
from albert.routing.chat_model import RoutedChatModel
from albert.routing.dispatch import Dispatcher
from albert.routing.fleet import Fleet
from albert.routing.table import Engine, RoutedModel, RoutingTable
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.gguf import examine
from albert.serving.patience import Patience
from albert.serving.supervisor import Supervisor
from albert.serving.watched import WatchedEngine
from albert.testing.services import KEY, scripted

pytestmark = pytest.mark.integration

STORY = (Message("user", "Tell me a very long story about a horse called Zanzibarine."),)


def supervisor(logs: Path) -> Supervisor:
    return Supervisor(
        {"llama.cpp": LlamaCppDriver()},
        weights=lambda model: Path(model.file),
        logs=logs,
        environment=os.environ,
        patience=Patience(attempts=1),
    )


def model_of(file: Path, options: Engine = Engine(context=512)) -> RoutedModel:
    return RoutedModel(name="smol", driver="llama.cpp", file=str(file), engine=options)


@asynccontextmanager
async def served(
    file: Path, logs: Path, options: Engine = Engine(context=512)
) -> AsyncIterator[tuple[WatchedEngine, RoutedChatModel, aiohttp.ClientSession]]:
    async with supervisor(logs) as engines, aiohttp.ClientSession() as session:
        await engines.start([model_of(file, options)])
        engine = engines.engines["smol"]
        table = RoutingTable({"smol": engine.model})
        extras = {"llama.cpp": engine.request_extra}
        dispatcher = Dispatcher(Fleet(table, launched=engines.engines.get, extras=extras))
        await dispatcher.open()
        try:
            yield engine, RoutedChatModel(dispatcher, "smol", window=engine.window), session
        finally:
            await dispatcher.close()


async def busy(engine: WatchedEngine, session: aiohttp.ClientSession) -> bool:
    address = engine.base_url.removesuffix("/v1") + "/slots"
    headers = {"Authorization": f"Bearer {engine.key}", "Connection": "close"}
    async with session.get(address, headers=headers) as response:
        return any(slot["is_processing"] for slot in json.loads(await response.read()))


async def idle(engine: WatchedEngine, session: aiohttp.ClientSession) -> None:
    while await busy(engine, session):  # noqa: ASYNC110 — another process has no Event
        await asyncio.sleep(0.02)


def test_the_real_file_is_recognised(smollm2: Path) -> None:
    about = examine(smollm2)
    assert (about.version, about.architecture, about.context) == (3, "llama", 8192)
    assert "add_generation_prompt" in about.chat_template


def test_it_answers_in_pieces_and_keeps_what_is_said_to_itself(
    smollm2: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with served(smollm2, tmp_path) as (engine, model, _):
            pieces = [piece async for piece in model.stream(STORY, Sampling(max_tokens=8))]
            assert 1 < len(pieces) <= 8
            words = Path(f"/proc/{engine.pid}/cmdline").read_text()  # noqa: ASYNC240 — never blocks
            assert "llama_cpp_child" in words
            assert engine.key not in words
            assert smollm2.name not in words
        said = "".join(file.read_text("utf-8") for file in tmp_path.iterdir())  # noqa: ASYNC240 — a test
        assert "Zanzibarine" not in said
        assert engine.key not in said

    asyncio.run(scenario())


@pytest.mark.parametrize("reading", ["answer", "prompt"])
def test_generation_stops_when_the_reader_leaves(
    smollm2: Path, tmp_path: Path, reading: str
) -> None:
    long = Message("user", "word " * 1500)

    async def scenario() -> None:
        options = Engine(context=4096, threads=2)
        async with served(smollm2, tmp_path, options) as (engine, model, session):
            stream = model.stream(
                STORY if reading == "answer" else (long,), Sampling(max_tokens=2000)
            )
            first = asyncio.ensure_future(anext(stream))
            if reading == "answer":
                await first
            else:
                while not await busy(engine, session):  # noqa: ASYNC110 — another process
                    await asyncio.sleep(0.02)
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
            assert await busy(engine, session)
            await stream.aclose()
            # 2,000 tokens, or 1,500 of prompt, would take longer than this on any machine of ours
            await asyncio.wait_for(idle(engine, session), timeout=3)

    asyncio.run(scenario())


def test_a_prompt_longer_than_the_window_is_refused_in_plain_words(
    smollm2: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with served(smollm2, tmp_path, Engine(context=256)) as (_, model, _session):
            with pytest.raises(InferenceError, match="dépasse ce que ce modèle peut lire"):
                await anext(model.stream((Message("user", "mot " * 400),), Sampling()))

    asyncio.run(scenario())


def test_the_window_is_not_longer_than_what_the_model_has_learnt(
    smollm2: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with served(smollm2, tmp_path, Engine(context=10_000)) as (engine, _, _session):
            assert engine.window == 8192

    asyncio.run(scenario())


def test_an_engine_that_was_stopped_is_seen_as_unreachable(smollm2: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(smollm2, tmp_path) as (engine, model, _):
            await engine.stop()
            with pytest.raises(ModelUnreachable):
                await anext(model.stream(STORY, Sampling()))

    asyncio.run(scenario())


def test_requests_that_wait_for_a_slot_leave_the_engine_alive(
    smollm2: Path, tmp_path: Path
) -> None:
    """With llama.cpp's own number of threads, a few would leave none to answer ``/health``."""

    async def scenario() -> None:
        async with served(smollm2, tmp_path) as (engine, model, session):

            async def ask() -> None:
                async for _ in model.stream(STORY, Sampling(max_tokens=200)):
                    pass

            asked = [asyncio.ensure_future(ask()) for _ in range(40)]
            while not await busy(engine, session):  # noqa: ASYNC110 — another process
                await asyncio.sleep(0.02)
            address = engine.base_url.removesuffix("/v1") + "/health"
            patience = aiohttp.ClientTimeout(total=5)
            async with session.get(address, timeout=patience) as response:
                assert response.status == 200
            assert not all(task.done() for task in asked)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(scenario())


def test_vectors_are_served_where_the_table_says_so(smollm2: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        model = model_of(smollm2).model_copy(update={"type": "embeddings"})
        async with supervisor(tmp_path) as engines, aiohttp.ClientSession() as session:
            await engines.start([model])
            engine = engines.engines["smol"]
            async with session.post(
                engine.base_url + "/embeddings",
                json={"model": "smol", "input": ["Bonjour", "Au revoir"]},
                headers={"Authorization": f"Bearer {engine.key}", "Connection": "close"},
            ) as response:
                rows = (await response.json())["data"]
        assert [len(row["embedding"]) for row in rows] == [576, 576]  # its hidden size

    asyncio.run(scenario())


def test_a_file_the_engine_cannot_load_is_reported_with_its_last_words(
    smollm2: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.gguf"
    octets = bytearray(smollm2.read_bytes())
    place = octets.index(b"blk.0.attn_k.weight")
    octets[place : place + 5] = b"xxx.0"
    damaged.write_bytes(octets)

    async def scenario() -> None:
        async with supervisor(tmp_path / "logs") as engines:
            with pytest.raises(InferenceError, match="n'a pas démarré") as raised:
                await engines.start([model_of(damaged)])
            assert "attn_k.weight" in str(raised.value)
            assert str(tmp_path) not in engines.engines["smol"].detail

    asyncio.run(scenario())


def test_a_file_that_is_none_starts_nothing(tmp_path: Path) -> None:
    page = tmp_path / "model.gguf"
    page.write_text("<!doctype html>")

    async def scenario() -> None:
        async with supervisor(tmp_path / "logs") as engines:
            with pytest.raises(ModelFileInvalid, match="page web"):
                await engines.start([model_of(page)])
            assert engines.engines["smol"].launches == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [True, False])
def test_behind_the_gateway_it_stops_when_its_reader_leaves(
    smollm2: Path, tmp_path: Path, *, stream: bool
) -> None:
    async def scenario() -> None:
        async with supervisor(tmp_path) as engines, aiohttp.ClientSession() as session:
            await engines.start([model_of(smollm2, Engine(context=2048))])
            engine = engines.engines["smol"]
            table = RoutingTable({"smol": engine.model})
            extras = {"llama.cpp": engine.request_extra}
            dispatcher = Dispatcher(Fleet(table, launched=engines.engines.get, extras=extras))
            async with serving(create_app(scripted(dispatcher=dispatcher))) as (address, _):
                body = {
                    "model": "smol",
                    "messages": [{"role": "user", "content": STORY[0].content}],
                    "max_tokens": 1500,
                    "ignore_eos": True,
                    "stream": stream,
                }
                call = asyncio.create_task(_asked(session, f"{address}/v1/chat/completions", body))
                async with asyncio.timeout(30):
                    while not await busy(engine, session):  # noqa: ASYNC110 — another process has no Event
                        await asyncio.sleep(0.02)
                call.cancel()
                await asyncio.wait((call,))
                async with asyncio.timeout(3):  # asked to take one second; the machine may be busy
                    await idle(engine, session)

    asyncio.run(scenario())


async def _asked(session: aiohttp.ClientSession, address: str, body: dict[str, object]) -> bytes:
    bearer = {"authorization": f"Bearer {KEY}"}
    async with session.post(address, json=body, headers=bearer) as response:
        return await response.read()
