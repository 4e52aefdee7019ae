"""``albert serve llm`` with vLLM behind: a part of it killed, then the whole."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from vllm_processes import came_of, command, ended
from vllm_served import CONTEXT, FLAGS, PYTHON

pytest_plugins = ("vllm_fixtures",)

START_SECONDS = 600.0


class Command:
    """The installed program, serving one model of a table in a data folder of its own."""

    def __init__(self, weights: Path, home: Path) -> None:
        self.said = ""
        table = home.with_name("table.json")
        engine = {"python": str(PYTHON), "context": CONTEXT, "dtype": "bfloat16", "flags": FLAGS}
        table.write_text(json.dumps({"tiny": {"file": str(weights), "engine": engine}}))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            (
                *(sys.executable, "-m", "albert", "serve", "llm", "tiny"),
                *("--table", str(table), "--port", str(self.port)),
            ),
            env={**kept, "ALBERT_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def wait_said(self, words: str) -> None:
        """Read what it says to its operator, until it has said these words."""
        assert self.process.stderr is not None
        end = time.monotonic() + START_SECONDS
        while words not in self.said:
            ready, _, _ = select.select([self.process.stderr], [], [], end - time.monotonic())
            piece = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            assert piece, f"not said: {words!r}, but: {self.said}"
            self.said += piece.decode()

    async def answers(self) -> None:
        """Wait until it is ready, as those who watch over it see."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
            while not await self._ready(session):  # noqa: ASYNC110 — another process
                await asyncio.sleep(0.2)

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        async with session.get(f"http://127.0.0.1:{self.port}/health") as response:
            return response.status == 200


@pytest.fixture
def served(tiny_llama: Path, tmp_path: Path) -> Iterator[Command]:
    command = Command(tiny_llama, tmp_path / "home")
    try:
        yield command
    finally:
        command.process.kill()
        command.process.communicate()


def test_what_is_killed_is_relaunched_and_nothing_outlives_the_command(served: Command) -> None:
    served.wait_said("est servi sur")
    asyncio.run(served.answers())
    processes = came_of(served.process.pid)
    (core,) = [one for one in processes if command(one).startswith("VLLM::EngineCore")]
    os.kill(core, signal.SIGKILL)
    served.wait_said("répond de nouveau")
    assert ended(set(processes) - {served.process.pid}, seconds=10)

    processes = came_of(served.process.pid)
    names = [command(one) for one in processes]
    assert any("albert.serving.keeper" in name for name in names)
    assert any(name.startswith("VLLM::EngineCore") for name in names)
    assert any(name.startswith("VLLM::Worker") for name in names)
    served.process.kill()
    assert ended(processes, seconds=10)
