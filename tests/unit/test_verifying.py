"""What ``albert deploy test`` makes of a service that is another one."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from albert.client import AsyncAlbert
from albert.deploy.verifying.api import ApiChecks
from albert.deploy.verifying.report import Check, Result, made
from albert.deploy.verifying.services import EmbeddingsChecks, LlmChecks
from albert.deploy.verifying.web import Service


def of(kind: str, service: Service, albert: AsyncAlbert) -> list[Check]:
    if kind == "api":
        return list(ApiChecks(service, albert, login="a", password="b"))  # noqa: S106
    return list(LlmChecks(service, 0) if kind == "llm" else EmbeddingsChecks(service, 0))


@pytest.mark.parametrize("answer", [{"detail": "x"}, ["x"], "x", None, {"data": ["x"]}])
@pytest.mark.parametrize("kind", ["api", "llm", "embeddings"])
def test_answers_of_another_shape_are_failures_and_stop_nothing(kind: str, answer: object) -> None:
    async def say(_request: web.Request) -> web.StreamResponse:
        return web.json_response(answer)

    async def scenario() -> tuple[int, tuple[Result, ...]]:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", say)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession() as session, AsyncAlbert(address) as albert:
                checks = of(kind, Service(session, address), albert)
                return len(checks), await made(checks, lambda _result: None)
        finally:
            await runner.cleanup()

    asked, results = asyncio.run(scenario())
    assert len(results) == asked
    assert "failed" in [result.outcome for result in results]
