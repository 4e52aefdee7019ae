"""Whose silence it is: an engine's is waited for and blamed, a reader's is not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from albert.domain.errors import ModelTooSlow
from albert.routing.dispatch import Dispatcher
from albert.routing.fleet import Fleet
from albert.routing.sending import Sending
from albert.routing.table import RoutedModel, RoutingTable

pytestmark = pytest.mark.integration

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
EVENT = b'data: {"choices":[]}\n\n'


@asynccontextmanager
async def dispatching(*answers: Answer, **timeouts: float) -> AsyncIterator[Dispatcher]:
    application = web.Application()
    for place, answer in enumerate(answers):
        application.router.add_post(f"/{place}/v1/{{operation:.*}}", answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    places = [{"host": f"http://127.0.0.1:{port}/{place}/v1"} for place, _ in enumerate(answers)]
    said = {"name": "m", "driver": "openai", "replicas": places, "timeouts": timeouts}
    dispatcher = Dispatcher(Fleet(RoutingTable({"m": RoutedModel.model_validate(said)})))
    await dispatcher.open()
    try:
        yield dispatcher
    finally:
        await dispatcher.close()
        await runner.cleanup()


async def streaming(
    request: web.Request, *, then: asyncio.Event | None = None
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await response.write(EVENT)
    if then is not None:
        await then.wait()
    await response.write(EVENT * 2)
    return response


async def read(sending: Sending) -> bytes:
    async with sending:
        return b"".join([data async for data in sending.pieces()])


def test_a_second_try_waits_for_its_own_first_byte() -> None:
    async def scenario() -> None:
        asked, go = asyncio.Event(), asyncio.Event()

        async def failing(_request: web.Request) -> web.StreamResponse:
            return web.json_response({}, status=500)

        async def waiting(_request: web.Request) -> web.StreamResponse:
            asked.set()
            await go.wait()
            return web.json_response({})

        async with dispatching(failing, waiting) as dispatcher:
            sending = dispatcher.send(dispatcher.fleet.route("m"), "completions", b"{}")
            entering = asyncio.create_task(sending.__aenter__())
            await asyncio.wait_for(asked.wait(), 10)
            assert (len(sending.tried), sending.begun) == (2, False)
            go.set()
            await entering
            assert sending.begun
            await sending.__aexit__(None, None, None)

    asyncio.run(scenario())


def test_a_reader_who_pauses_is_no_silence_of_the_engine() -> None:
    async def scenario() -> None:
        async with dispatching(streaming, between_bytes=0.2) as dispatcher:
            route = dispatcher.fleet.route("m")
            async with dispatcher.send(route, "completions", b"{}", stream=True) as answer:
                assert answer.response is not None
                await asyncio.sleep(0.7)  # the reader: several looks of the watch long
                sending = next(iter(dispatcher._live))
                assert b"".join([data async for data in sending.pieces()]) == EVENT * 3
            assert route.replicas[0].breaker.state == "closed"

    asyncio.run(scenario())


def test_an_engine_that_falls_silent_is_cut_and_blamed_a_long_answer_is_not() -> None:
    async def scenario(stalls: bool, **timeouts: float) -> int:
        never = asyncio.Event()

        async def endless(request: web.Request) -> web.StreamResponse:
            if stalls:
                return await streaming(request, then=never)
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            while True:
                await response.write(EVENT)
                await asyncio.sleep(0.01)

        async with dispatching(endless, **timeouts) as dispatcher:
            route = dispatcher.fleet.route("m")
            for _ in range(3):
                sending = dispatcher.send(route, "completions", b"{}", stream=True)
                with pytest.raises(ModelTooSlow):
                    await read(sending)
                sending.blame()
            return route.replicas[0].lost

    assert asyncio.run(scenario(stalls=True, between_bytes=0.2)) == 1
    assert asyncio.run(scenario(stalls=False, whole=0.3)) == 0
