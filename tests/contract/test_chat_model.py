"""What every chat model promises: the fake, and the real client against a scripted server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import web

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError
from albert.inference.contract import ChatModel
from albert.routing.chat_model import RoutedChatModel
from albert.testing.models import ScriptedModel
from albert.testing.services import Upstream, dispatcher_to

ASKED = (Message("system", "Réponds."), Message("user", "Bonjour ?"))


@dataclass
class Stage:
    """A model, and what can be seen from its other side."""

    model: ChatModel
    heard: Callable[[], list[tuple[Message, ...]]]
    left: asyncio.Event | None = None


@asynccontextmanager
async def fake(*pieces: str | InferenceError) -> AsyncIterator[Stage]:
    model = ScriptedModel(*pieces)
    yield Stage(model, heard=lambda: model.heard)


@asynccontextmanager
async def real(*pieces: str | InferenceError) -> AsyncIterator[Stage]:
    """Serve the pieces as a well-behaved OpenAI server does; an error cuts the connection."""
    bodies: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            if isinstance(piece, InferenceError):
                assert request.transport is not None
                request.transport.abort()
                return response
            chunk = {"choices": [{"index": 0, "delta": {"content": piece}}]}
            await response.write(b"data: " + orjson.dumps(chunk) + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    there = Upstream(base_url=f"http://{host}:{port}/v1", model="m")
    dispatcher = dispatcher_to({"m": there})
    await dispatcher.open()
    yield Stage(
        RoutedChatModel(dispatcher, "m", window=4096),
        heard=lambda: [
            tuple(Message(m["role"], m["content"]) for m in body["messages"]) for body in bodies
        ],
    )
    await dispatcher.close()
    await runner.cleanup()


Setting = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture(params=[fake, real])
def stage(request: pytest.FixtureRequest) -> Setting:
    setting: Setting = request.param
    return setting


async def said(stage: Stage) -> list[str]:
    return [piece async for piece in stage.model.stream(ASKED, Sampling())]


def test_pieces_come_in_order_and_whole(stage: Setting) -> None:
    async def scenario() -> None:
        async with stage("Bon", "jour", " à tous\n", "« é »") as on:
            assert await said(on) == ["Bon", "jour", " à tous\n", "« é »"]

    asyncio.run(scenario())


def test_the_conversation_reaches_the_model_as_it_is(stage: Setting) -> None:
    async def scenario() -> None:
        async with stage("oui") as on:
            await said(on)
            assert on.heard() == [ASKED]

    asyncio.run(scenario())


def test_an_empty_answer_is_an_answer(stage: Setting) -> None:
    async def scenario() -> None:
        async with stage() as on:
            assert await said(on) == []

    asyncio.run(scenario())


def test_a_failure_comes_after_the_pieces_before_it(stage: Setting) -> None:
    async def scenario() -> None:
        async with stage("Bon", InferenceError()) as on:
            pieces = on.model.stream(ASKED, Sampling())
            assert await anext(pieces) == "Bon"
            with pytest.raises(InferenceError):
                await anext(pieces)

    asyncio.run(scenario())


def test_a_reader_may_leave_and_another_be_answered(stage: Setting) -> None:
    async def scenario() -> None:
        async with stage("Bon", "jour") as on:
            pieces = on.model.stream(ASKED, Sampling())
            async with aclosing(pieces):
                assert await anext(pieces) == "Bon"
            assert await said(on) == ["Bon", "jour"]

    asyncio.run(scenario())


def test_more_words_are_more_tokens(stage: Setting) -> None:
    async def scenario() -> None:
        async with stage() as on:
            assert on.model.count("") == 0
            assert 0 < on.model.count("le RSA") < on.model.count("le RSA et la CMU")

    asyncio.run(scenario())
