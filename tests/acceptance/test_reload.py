"""The table is read anew while a stream runs: nothing is cut, and a wrong one changes nothing."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from replicas import Process, replicas, spoil_table, write_table
from service import ROOT, Running, environment

pytestmark = pytest.mark.acceptance

__all__ = ["replicas"]  # a fixture

PATIENCE = 60.0


class Gateway:
    def __init__(self, home: Path, table: Path) -> None:
        self.env = environment(home) | {"ALBERT_ROUTING_TABLE": str(table)}
        self.process = Running(self.env, "serve", "gateway", ready="La passerelle répond sur")
        self.process.wait_ready(PATIENCE)
        self.address = f"http://127.0.0.1:{self.env['ALBERT_PORT']}/v1/chat/completions"
        self.key = (home / "secrets" / "api-key").read_text().strip()


@pytest.fixture
def table(tmp_path: Path, replicas: tuple[Process, Process]) -> Path:
    path = tmp_path / "table.json"
    write_table(path, replicas[:1])
    return path


@pytest.fixture
def gateway(tmp_path: Path, table: Path) -> Iterator[Gateway]:
    one = Gateway(tmp_path / "home", table)
    try:
        yield one
    finally:
        one.process.interrupt()


async def answered_by(client: aiohttp.ClientSession, gateway: Gateway) -> bytes:
    async with client.post(gateway.address, json={"model": "m", "messages": []}) as response:
        assert response.status == 200
        return await response.read()


async def until_answered_by(name: bytes, client: aiohttp.ClientSession, gateway: Gateway) -> None:
    async with asyncio.timeout(PATIENCE):
        while name not in await answered_by(client, gateway):  # noqa: ASYNC110 — nothing tells
            await asyncio.sleep(0.05)


def test_a_stream_ends_where_it_began_and_the_next_request_follows_the_new_table(
    table: Path, gateway: Gateway, replicas: tuple[Process, Process]
) -> None:
    async def scenario() -> None:
        bearer = {"authorization": f"Bearer {gateway.key}"}
        long = {"model": "m", "messages": [], "stream": True, "pause": 4}
        async with aiohttp.ClientSession(headers=bearer) as client:
            async with client.post(gateway.address, json=long) as stream:
                first = await stream.content.readline()
                assert b'"one"' in first

                write_table(table, replicas[1:])
                words = [sys.executable, "-m", "albert", "models", "reload"]
                done = await asyncio.to_thread(
                    subprocess.run, words, env=gateway.env, cwd=ROOT, check=False
                )
                assert done.returncode == 0
                await until_answered_by(b'"two"', client, gateway)

                rest = await stream.read()
                assert rest.endswith(b"data: [DONE]\n\n")
                assert b'"error"' not in rest

            spoil_table(table)
            os.kill(gateway.process.pid, signal.SIGHUP)
            assert b'"two"' in await answered_by(client, gateway)

            write_table(table, replicas[:1])
            os.kill(gateway.process.pid, signal.SIGHUP)
            await until_answered_by(b'"one"', client, gateway)

    asyncio.run(scenario())
