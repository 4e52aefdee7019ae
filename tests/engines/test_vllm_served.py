"""vLLM under our supervisor: who may enter, what happens when readers leave, or are many."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from vllm_processes import came_of, listening
from vllm_served import (
    AT_ONCE,
    CONTEXT,
    RUNNING,
    WAITING,
    WRITTEN,
    VllmEngine,
    metrics,
    until,
)

pytest_plugins = ("vllm_fixtures",)

SECRET = "zanzibarine"  # noqa: S105 — a word that no log may have
LONG = {"max_tokens": CONTEXT - 100, "ignore_eos": True}
"""Seconds of writing, for the tiny model too."""


def question(engine: VllmEngine, **fields: object) -> dict[str, object]:
    messages = [{"role": "user", "content": f"Raconte {SECRET}."}]
    return {"model": engine.name, "messages": messages, **fields}


class TestDoor:
    @pytest.mark.parametrize(
        "path",
        [
            *("v1/models", "v1/chat/completions", "v1/completions", "v1/responses"),
            *("invocations", "tokenize", "detokenize", "metrics", "version", "load", "ping"),
            *("openapi.json", "docs", "pause", "v1/load_lora_adapter", "rien"),
        ],
    )
    @pytest.mark.parametrize("key", ["", "autre"])
    def test_nothing_is_reached_without_the_key(
        self, vllm_engine: VllmEngine, path: str, key: str
    ) -> None:
        async def statuses() -> set[int]:
            found = set()
            async with vllm_engine.session(key) as session:
                for method in ("GET", "POST", "OPTIONS"):
                    async with session.request(method, path, json={}) as response:
                        found.add(response.status)
            return found

        assert asyncio.run(statuses()) == {401}

    def test_every_port_it_opens_is_of_this_machine(self, vllm_engine: VllmEngine) -> None:
        places = listening(came_of(vllm_engine.pid))
        assert int(vllm_engine.base_url.split(":")[2].partition("/")[0]) in {p for _, p in places}
        assert {address for address, _ in places} == {"127.0.0.1"}

    def test_neither_key_nor_question_is_where_others_read(self, vllm_engine: VllmEngine) -> None:
        vllm_engine.chat(f"Raconte {SECRET}.", max_tokens=2)
        seen = vllm_engine.log.read_bytes() + b"".join(
            Path(f"/proc/{process}/cmdline").read_bytes() for process in came_of(vllm_engine.pid)
        )
        assert b"vllm.entrypoints" in seen
        assert vllm_engine.key.encode() not in seen
        assert SECRET.encode() not in seen


class TestReadersWhoLeave:
    @pytest.mark.parametrize("stream", [True, False])
    def test_their_requests_are_aborted_within_a_second(
        self, vllm_engine: VllmEngine, stream: bool
    ) -> None:
        async def scenario() -> None:
            async with vllm_engine.session() as watching:
                await until(watching, RUNNING, 0)
                before = (await metrics(watching))[WRITTEN]
                async with vllm_engine.session() as reading:
                    body = question(vllm_engine, stream=stream, **LONG)
                    asked = asyncio.create_task(_ask(reading, body))
                    await until(watching, RUNNING, 1)
                    asked.cancel()
                    await asyncio.wait((asked,))
                async with asyncio.timeout(1):
                    await until(watching, RUNNING, 0)
                written = (await metrics(watching))[WRITTEN] - before
                assert written < LONG["max_tokens"]  # it was ended, it did not come to its end

        asyncio.run(scenario())


class TestManyReaders:
    def test_those_beyond_its_places_wait_and_are_all_answered(
        self, vllm_engine: VllmEngine
    ) -> None:
        async def scenario() -> None:
            async with vllm_engine.session() as watching, AsyncExitStack() as stack:
                readers = [
                    await stack.enter_async_context(vllm_engine.session()) for _ in range(12)
                ]
                body = question(vllm_engine, max_tokens=100, ignore_eos=True)
                asked = [asyncio.create_task(_ask(reader, body)) for reader in readers]
                most = {RUNNING: 0.0, WAITING: 0.0}
                while not all(one.done() for one in asked):
                    figures = await metrics(watching)
                    most = {name: max(most[name], figures[name]) for name in most}
                assert {await one for one in asked} == {100}
                assert most[RUNNING] == AT_ONCE
                assert most[WAITING] > 0

        asyncio.run(scenario())


async def _ask(session: aiohttp.ClientSession, body: dict[str, object]) -> int:
    """Return how many tokens were written; of a stream, nothing that counts."""
    async with session.post("v1/chat/completions", json=body) as response:
        assert response.status == 200, await response.text()
        if body.get("stream"):
            async for _ in response.content.iter_any():
                pass
            return 0
        written: int = (await response.json())["usage"]["completion_tokens"]
        return written
