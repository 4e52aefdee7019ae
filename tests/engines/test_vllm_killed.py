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
from vllm_processes import came_of, command, ended, marked
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
            # engines are told little of our environment: TMPDIR marks them and theirs
            env={**kept, "ALBERT_HOME": str(home), "TMPDIR": str(home.with_name("tmp"))},
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
    (tmp_path / "tmp").mkdir()
    command = Command(tiny_llama, tmp_path / "home")
    try:
        yield command
    finally:
        command.process.kill()
        command.process.communicate()


def test_what_is_killed_is_relaunched_and_nothing_outlives_the_command(
    served: Command, tmp_path: Path
) -> None:
    here = f"TMPDIR={tmp_path / 'tmp'}"
    served.wait_said("est servi sur")
    asyncio.run(served.answers())
    first = came_of(served.process.pid)
    (core,) = [process for process in first if command(process).startswith("VLLM::EngineCore")]
    os.kill(core, signal.SIGKILL)
    served.wait_said("est relancé dans")
    served.wait_said("répond de nouveau")
    assert not {core} & set(marked(here))

    processes = set(marked(here)) - {served.process.pid}
    assert len(processes) >= 4  # a keeper, the server, the core, its worker
    served.process.kill()
    assert ended(processes, seconds=10)
    assert not marked(here)
