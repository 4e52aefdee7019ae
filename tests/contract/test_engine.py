"""llama.cpp does what every engine must, with the smallest real model there is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from albert.routing.table import Engine, RoutedModel
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.supervisor import Supervisor
from albert.testing.engine_contract import CHECKS, ServedEngine

pytestmark = pytest.mark.integration

TOOLS = Path(__file__).parents[1] / "fixtures" / "templates" / "tools.jinja"
"""A chat template with tools, which SmolLM2's own has not."""


class Running:
    """An engine and the loop that it is asked from, for all the tests of a module."""

    def __init__(self, file: Path, logs: Path, *flags: str) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        options = Engine(context=512, slots=2, flags=flags)
        self._model = RoutedModel(name="smol", driver="llama.cpp", file=str(file), engine=options)
        self._supervisor = Supervisor(
            {"llama.cpp": LlamaCppDriver()},
            weights=lambda model: Path(model.file),
            logs=logs,
            environment=os.environ,
        )
        self.engine = self._runner.run(self._start())

    async def _start(self) -> ServedEngine:
        await self._stack.enter_async_context(self._supervisor)
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        await self._supervisor.start([self._model])
        engine = self._supervisor.engines["smol"]
        return ServedEngine(
            base_url=engine.base_url,
            model="smol",
            key=engine.key,
            session=session,
            unable=engine.unable,
        )

    def check(self, name: str) -> None:
        self._runner.run(CHECKS[name](self.engine))

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


@pytest.fixture(scope="module")
def llama(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(smollm2, tmp_path_factory.mktemp("logs"))
    yield running
    running.close()


@pytest.mark.parametrize("check", CHECKS)
def test_llama_cpp(llama: Running, check: str) -> None:
    llama.check(check)


def test_a_template_without_tools_is_known_before_they_are_asked_for(llama: Running) -> None:
    assert "gabarit" in llama.engine.unable["tools"]


def test_a_template_with_tools_has_them_called(smollm2: Path, tmp_path: Path) -> None:
    running = Running(smollm2, tmp_path, f"--chat-template={TOOLS.read_text('utf-8')}")
    try:
        assert "tools" not in running.engine.unable
        running.check("calls_tools_or_says_that_it_cannot")
    finally:
        running.close()
