"""Our gateway before a vLLM that runs, over HTTP, for OpenAI's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import openai
import uvloop
from vllm_served import VllmEngine

from albert.api.app import create_app
from albert.api.call import Call
from albert.asgi.run import serve
from albert.testing.services import KEY, Upstream, dispatcher_to, scripted

MODEL = "public"
"""Its name for readers: the engine has another."""
START_SECONDS = 60.0


class Recorded:
    """Keeps the calls, as they ended."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[Call] = asyncio.Queue()

    def began(self, call: Call) -> None:
        assert call.model == MODEL

    def ended(self, call: Call) -> None:
        self.calls.put_nowait(call)


@dataclass(frozen=True, slots=True)
class Behind:
    """A client of the gateway; ``call`` gives what was kept of the next call that ends."""

    client: openai.AsyncOpenAI
    call: Callable[[], Awaitable[Call]]


@asynccontextmanager
async def gateway(engine: VllmEngine) -> AsyncIterator[Behind]:
    """Serve the gateway before the engine, which is a replica of its table, with its key."""
    replica = Upstream(base_url=engine.base_url, model=engine.name, key=engine.key)
    to_it = dispatcher_to({MODEL: replica}, driver="vllm", hf_repo_id="exemple/tiny")
    recorded, stop = Recorded(), asyncio.Event()
    app = create_app(replace(scripted(dispatcher=to_it), recorder=recorded))
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, "127.0.0.1", 0, ready.set_result, stop=stop))
    try:
        base_url = f"{await asyncio.wait_for(ready, START_SECONDS)}/v1"
        async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
            yield Behind(client, recorded.calls.get)
    finally:
        stop.set()
        await serving


def through(engine: VllmEngine, scenario: Callable[[Behind], Awaitable[None]]) -> None:
    async def main() -> None:
        async with gateway(engine) as behind:
            await scenario(behind)

    uvloop.run(main())
