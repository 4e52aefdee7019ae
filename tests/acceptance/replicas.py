"""Replicas in processes of their own, and a gateway in front of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import pytest
from service import ROOT

DOUBLE = Path(__file__).with_name("engine_double.py")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Process:
    """A replica in a process of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(DOUBLE), self.name, str(self.port)], cwd=ROOT
        )

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    async def become(self, mode: str) -> None:
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"http://127.0.0.1:{self.port}/mode", data=mode) as response,
        ):
            assert response.status == 200


@pytest.fixture
def replicas() -> Iterator[tuple[Process, Process]]:
    pair = Process("one"), Process("two")
    for replica in pair:
        replica.start()
    yield pair
    for replica in pair:
        replica.kill()


def write_table(path: Path, replicas: Sequence[Process]) -> None:
    """Write the table of a model « m » that these replicas serve."""
    places = [{"host": f"http://127.0.0.1:{one.port}/v1"} for one in replicas]
    path.write_text(json.dumps({"m": {"driver": "openai", "replicas": places}}))


def spoil_table(path: Path) -> None:
    """Write a table in which nothing says which model there is."""
    path.write_text('{"m": {}}')
