"""Whatever replicas do, a request that is over holds none of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from albert.domain.errors import InferenceError
from albert.routing.dispatch import Dispatcher
from albert.routing.fleet import Fleet
from albert.routing.table import RoutedModel, RoutingTable

pytestmark = pytest.mark.integration

DOINGS = ("well", "events", "400", "401", "429", "500", "503", "garbage", "cut", "dead")


async def answer(request: web.Request) -> web.StreamResponse:
    """Do as the first part of the path says."""
    doing = request.path.split("/")[1]
    if doing == "cut":
        assert request.transport is not None
        request.transport.abort()
    if doing == "events":
        return web.Response(body=b"data: {}\n\ndata: [DONE]\n\n", content_type="text/event-stream")
    if doing == "garbage":
        return web.Response(body=b"\0<garbage>")
    status = int(doing) if doing.isdigit() else 200
    return web.json_response({"error": {"message": "non"}}, status=status)


@asynccontextmanager
async def dispatching(doings: Sequence[str]) -> AsyncIterator[Dispatcher]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    places = [
        {"host": f"http://127.0.0.1:{1 if doing == 'dead' else port}/{doing}/{place}/v1"}
        for place, doing in enumerate(doings)
    ]
    said = {"name": "m", "driver": "openai", "replicas": places, "limits": {"concurrent": 1}}
    model = RoutedModel.model_validate(said)
    dispatcher = Dispatcher(Fleet(RoutingTable({"m": model})))
    await dispatcher.open()
    try:
        yield dispatcher
    finally:
        await dispatcher.close()
        await runner.cleanup()


@settings(max_examples=60)
@given(
    doings=st.lists(st.sampled_from(DOINGS), min_size=1, max_size=3),
    stream=st.booleans(),
    on_trial=st.booleans(),
    left=st.booleans(),
)
def test_a_request_that_is_over_holds_no_replica(
    doings: list[str], stream: bool, on_trial: bool, left: bool
) -> None:
    async def scenario() -> None:
        async with dispatching(doings) as dispatcher:
            route = dispatcher.fleet.route("m")
            for replica in route.replicas:
                if on_trial:
                    replica.fail(sure=True)
                    replica.breaker.probed(well=True)
            for _ in range(3):
                sending = dispatcher.send(route, "chat/completions", b"{}", stream=stream)
                try:
                    async with sending:
                        assert sum(replica.in_flight for replica in route.replicas) <= 1
                        if not left:
                            assert [data async for data in sending.pieces()]
                except InferenceError:
                    assert "well" not in doings
                assert [replica.in_flight for replica in route.replicas] == [0] * len(doings)
                assert all(one.free or one.breaker.state == "open" for one in route.replicas)

    asyncio.run(scenario())
