"""Real vLLM on the CPU, under our supervisor, with a tiny model made on the spot.

``make test-engines`` installs what this needs.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from albert.domain.errors import InferenceError
from albert.routing.table import Engine, ModelType, RoutedModel
from albert.serving.engines.vllm import VllmDriver
from albert.serving.patience import Patience
from albert.serving.supervisor import Supervisor
from albert.wire.sse import Decoder

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-engines" / "bin" / "python"
CONTEXT = 2048
AT_ONCE = 4
FLAGS = (
    "--enforce-eager",
    "--kv-cache-memory-bytes=536870912",
    f"--max-num-seqs={AT_ONCE}",
    "--enable-auto-tool-choice",
    "--tool-call-parser=hermes",
    "--enable-prompt-tokens-details",
    # a model of noise would write blanks for ever between two words of a JSON object
    '--structured-outputs-config={"backend":"xgrammar","disable_any_whitespace":true}',
)
WRITTEN = "vllm:generation_tokens_total"
RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
PATIENCE = Patience(start=600.0, attempts=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmEngine:
    """An engine that is ready; ``base_url`` ends in ``/v1``."""

    name: str
    base_url: str
    key: str
    pid: int
    """Of the keeper that all of its processes come of."""
    log: Path

    @asynccontextmanager
    async def session(self, key: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
        """Open connections to the engine's own server, for paths from its root."""
        async with aiohttp.ClientSession(
            self.base_url.removesuffix("v1"),
            headers={"Authorization": f"Bearer {self.key if key is None else key}"},
            timeout=aiohttp.ClientTimeout(total=300),
        ) as session:
            yield session

    def post(self, path: str, **fields: object) -> tuple[int, dict[str, Any]]:
        """Return the status, and the JSON that came with it."""

        async def ask() -> tuple[int, dict[str, Any]]:
            async with (
                self.session() as session,
                session.post(path, json={"model": self.name, **fields}) as response,
            ):
                return response.status, json.loads(await response.read())

        return asyncio.run(ask())

    def chat(self, text: str = "Où refaire mon passeport ?", **fields: object) -> dict[str, Any]:
        """Return the answer of a chat completion, which must be one."""
        messages = [{"role": "user", "content": text}]
        status, body = self.post("v1/chat/completions", messages=messages, **fields)
        assert status == 200, body
        return body

    def stream(self, path: str, **fields: object) -> list[dict[str, Any]]:
        """Return what the events of a whole stream hold, the last ``[DONE]`` aside."""

        async def read() -> list[str]:
            body = {"model": self.name, "stream": True, **fields}
            async with self.session() as session, session.post(path, json=body) as response:
                assert response.status == 200, await response.text()
                decoder = Decoder()
                return [e.data async for d in response.content.iter_any() for e in decoder.feed(d)]

        *events, done = asyncio.run(read())
        assert done == "[DONE]"
        return [json.loads(event) for event in events]


async def metrics(session: aiohttp.ClientSession) -> dict[str, float]:
    """Return vLLM's figures by name, those of one name added up."""
    async with session.get("metrics") as response:
        lines = (await response.text()).splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if line.startswith("vllm:"):
            name, _, value = line.rpartition(" ")
            for one in (name.partition("{")[0], name):
                found[one] = found.get(one, 0.0) + float(value)
    return found


async def until(session: aiohttp.ClientSession, name: str, value: float) -> None:
    """Wait until a figure of vLLM's has that value."""
    while (await metrics(session)).get(name, 0.0) != value:  # noqa: ASYNC110 — another process
        await asyncio.sleep(0.02)


def tiny_model(folder: Path) -> Path:
    """Make the model with the Python of the engines."""
    if not PYTHON.exists():
        pytest.fail("vLLM n'est pas installé : lancez « make test-engines ».")
    program = Path(__file__).with_name("tiny_llama.py")
    subprocess.run([PYTHON, program, folder], check=True, timeout=300)
    return folder


@contextmanager
def served(weights: Path, kind: ModelType, logs: Path) -> Iterator[VllmEngine]:
    """Launch an engine under our supervisor, whose loop runs in a thread of its own."""
    engine = Engine(python=str(PYTHON), context=CONTEXT, dtype="bfloat16", flags=FLAGS)
    model = RoutedModel(name="tiny", driver="vllm", type=kind, file=str(weights), engine=engine)
    held = _Held(model, logs)
    thread = threading.Thread(target=held.run, name="supervisor")
    thread.start()
    try:
        yield held.ready.result()
    finally:
        held.leave()
        thread.join()


class _Held:
    """A supervisor and its one engine, in the thread that runs it."""

    def __init__(self, model: RoutedModel, logs: Path) -> None:
        self.ready: Future[VllmEngine] = Future()
        self._model = model
        self._logs = logs
        self._loop = asyncio.new_event_loop()
        self._leaving = asyncio.Event()

    def run(self) -> None:
        try:
            self._loop.run_until_complete(self._hold())
        except InferenceError as error:
            self.ready.set_exception(error)
        finally:
            self._loop.close()

    def leave(self) -> None:
        if self.ready.exception() is None:
            self._loop.call_soon_threadsafe(self._leaving.set)

    async def _hold(self) -> None:
        async with Supervisor(
            {"vllm": VllmDriver()},
            weights=lambda model: Path(model.file),
            logs=self._logs,
            environment=os.environ,
            patience=PATIENCE,
        ) as supervisor:
            await supervisor.start([self._model])
            one = supervisor.engines[self._model.name]
            self.ready.set_result(
                VllmEngine(
                    name=one.model.name,
                    base_url=one.base_url,
                    key=one.key,
                    pid=one.pid,
                    log=one.log.file,
                )
            )
            await self._leaving.wait()
