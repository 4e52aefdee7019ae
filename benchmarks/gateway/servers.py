"""The processes that are measured: each started as it is served, told by its address."""

from __future__ import annotations

import json
import os
import shutil
import socket
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

HERE = Path(__file__).parent
_STOP_SECONDS = 15


class Model(TypedDict):
    """Where a model answers."""

    base_url: str
    model: str
    key: str


@dataclass(frozen=True)
class Server:
    address: str
    pid: int


@contextmanager
def program(name: str, *arguments: str, order: object = None) -> Iterator[Server]:
    """Run ``gateway.<name>``; its first line is its address. ``order`` is its input."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"gateway.{name}", *arguments],
        cwd=HERE.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit(f"gateway.{name} did not start")
        yield Server(address, process.pid)
    finally:
        _end(process)


@contextmanager
def gateway(postgres: str, models: dict[str, Model], folder: Path) -> Iterator[Server]:
    """Run ``albert serve gateway``, as its users do, in a folder of its own."""
    port = _free_port()
    folder.mkdir(exist_ok=True)
    table = {
        name: {
            "driver": "openai",
            "served_name": model["model"],
            "replicas": [{"host": model["base_url"], "key_variable": "ENGINE_KEY"}],
        }
        for name, model in models.items()
    }
    written = folder / "llm_routing_table.json"
    written.write_text(json.dumps(table))
    settings = {
        "ALBERT_HOME": str(folder / "home"),
        "ALBERT_ROUTING_TABLE": str(written),
        "POSTGRES_URI": postgres,
        "ENGINE_KEY": next(iter(models.values()))["key"],
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "albert", "serve", "gateway", "--port", str(port)],
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = []
        while f":{port}" not in (line := process.stderr.readline()):
            said.append(line)
            if not line:
                raise SystemExit("albert serve gateway did not start: " + "".join(said))
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        _end(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def nginx_path() -> str | None:
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextmanager
def nginx(backend: str, folder: Path) -> Iterator[Server]:
    port = _free_port()
    written = string.Template((HERE / "nginx.conf").read_text()).substitute(
        folder=folder, backend=urlsplit(backend).netloc, port=port
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(written)
    process = subprocess.Popen([nginx_path() or "nginx", "-p", folder, "-c", configuration])
    try:
        _listening(port)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        _end(process)


def _listening(port: int) -> None:
    for _ in range(200):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise SystemExit("nginx did not start")


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    process.kill()
    process.wait()
