"""Both sets of workers restart behind nginx, one after the other: whoever asks loses nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from replicas import Process, free_port, replicas
from service import ROOT, environment
from test_serve_api import FIRST, key_of, learn

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]

__all__ = ["replicas"]  # a fixture

PATIENCE = 120.0
SET = str(Path(__file__).with_name("worker_set.py"))


@dataclass
class Site:
    """nginx with the files of the repository, and two sets of workers behind it."""

    folder: Path
    env: dict[str, str]
    port: int = field(default_factory=free_port)
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def nginx(self) -> list[str]:
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def write(self) -> None:
        """Put the site where the test may listen and write; nothing else of it changes."""
        site = (ROOT / "contrib" / "nginx" / "albert.conf").read_text("utf-8")
        site = site.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        site = site.replace("    listen [::]:80;\n", "").replace("/var/log/nginx/", "")
        (self.folder / "albert.conf").write_text(site, "utf-8")
        upstream = (ROOT / "contrib" / "nginx" / "albert-upstream.conf").read_text("utf-8")
        for usual, ours in zip(("8090", "8091"), self.ports, strict=True):
            upstream = upstream.replace(usual, str(ours))
        (self.folder / "albert-upstream.conf").write_text(upstream, "utf-8")
        (self.folder / "nginx.conf").write_text(
            f"pid {self.folder}/nginx.pid;\nworker_processes 2;\nerror_log error.log;\n"
            "events {}\nhttp {\n    include albert-upstream.conf;\n    include albert.conf;\n}\n"
        )

    def set_of(self, verb: str, port: int) -> None:
        words = [sys.executable, SET, verb, str(port), str(self.folder)]
        subprocess.run(words, env=self.env, cwd=ROOT, check=True, timeout=PATIENCE)

    def pids(self) -> list[str]:
        return [(self.folder / f"{port}.pid").read_text() for port in self.ports]

    def roll(self, restart: str, timeout: int) -> asyncio.Future[tuple[int, str]]:
        """Type ``albert deploy roll``; return its status and what it says, once it ends."""
        file = self.folder / "test.env"
        file.write_text(f"API_PORTS={self.ports[0]},{self.ports[1]}\n")
        return asyncio.ensure_future(self._rolled(file, restart, timeout))

    async def _rolled(self, file: Path, restart: str, timeout: int) -> tuple[int, str]:  # noqa: ASYNC109 — an option's value
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "albert", "deploy", "roll", "--env-file", str(file)),
            *("--restart", restart, "--reload", " ".join([*self.nginx, "-s", "reload"])),
            *("--upstream", str(self.folder / "albert-upstream.conf")),
            *("--timeout", str(timeout)),
            env=self.env,
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        return process.returncode or 0, said.decode()


@pytest.fixture
def site(tmp_path: Path, database_uri: str, replicas: tuple[Process, Process]) -> Iterator[Site]:
    table = tmp_path / "table.json"
    entry = {"driver": "openai", "replicas": [{"host": f"http://127.0.0.1:{replicas[0].port}/v1"}]}
    table.write_text(json.dumps({"m": entry}))
    env = environment(tmp_path / "home")
    env |= {"POSTGRES_URI": database_uri, "ALBERT_ROUTING_TABLE": str(table)}
    learn(env, tmp_path, FIRST)
    one = Site(tmp_path, env)
    one.write()
    for port in one.ports:
        one.set_of("restart", port)
    try:
        subprocess.run(one.nginx, check=True, timeout=PATIENCE)
        asyncio.run(until_ready(one))
        yield one
    finally:
        subprocess.run([*one.nginx, "-s", "quit"], check=False, timeout=PATIENCE)
        for port in one.ports:
            one.set_of("stop", port)


async def until_ready(site: Site) -> None:
    async with aiohttp.ClientSession() as client, asyncio.timeout(PATIENCE):
        for port in site.ports:
            while True:
                try:
                    async with client.get(f"http://127.0.0.1:{port}/health/ready") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)


@dataclass
class Load:
    """Readers who ask without pause, each time on a connection of its own, until told to stop."""

    site: Site
    key: str
    seen: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    over: bool = False

    async def read(self, kind: str) -> None:
        bearer = {"authorization": f"Bearer {self.key}"}
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(
            self.site.address, headers=bearer, connector=connector
        ) as client:
            while not self.over:
                try:
                    wrong = await getattr(self, kind)(client)
                except (aiohttp.ClientError, TimeoutError) as error:
                    wrong = repr(error)
                self.seen[kind] += 1
                if wrong:
                    self.lost.append(f"{kind}: {wrong}")

    async def models(self, client: aiohttp.ClientSession) -> str:
        async with client.get("/v1/models") as answer:
            return "" if answer.status == 200 else f"{answer.status} {await answer.text()}"

    async def whole(self, client: aiohttp.ClientSession) -> str:
        async with client.post("/v1/chat/completions", json=asked()) as answer:
            said = await answer.text()
            return "" if answer.status == 200 and "choices" in said else f"{answer.status} {said}"

    async def stream(self, client: aiohttp.ClientSession) -> str:
        body = asked(stream=True, pause=0.3)
        async with client.post("/v1/chat/completions", json=body) as answer:
            said = await answer.text()
            ended = said.endswith("data: [DONE]\n\n")
            return "" if answer.status == 200 and ended else f"{answer.status} {said}"

    async def search(self, client: aiohttp.ClientSession) -> str:
        body = {"name": "chunks", "query": "Passeport abîmé", "similarity": "bm25"}
        async with client.post("/api/v2/indexes", json=body) as answer:
            said = await answer.text()
            return "" if answer.status == 200 and "F10027" in said else f"{answer.status} {said}"


def asked(**more: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": "?"}], **more}


async def under_load(site: Site, restart: str, *, timeout: int) -> tuple[tuple[int, str], Load]:  # noqa: ASYNC109 — an option's value
    """Restart both sets while readers ask."""
    load = Load(site, key_of(site.env))
    kinds = ("models", "whole", "stream", "search")
    readers = [asyncio.ensure_future(load.read(kind)) for kind in kinds for _ in range(2)]
    try:
        return await site.roll(restart, timeout), load
    finally:
        load.over = True
        await asyncio.gather(*readers)


def test_both_sets_restart_and_nothing_is_lost(site: Site) -> None:
    before = site.pids()
    restart = f"{sys.executable} {SET} restart {{port}} {site.folder}"
    (status, said), load = asyncio.run(under_load(site, restart, timeout=120))
    assert status == 0, said
    assert load.lost == []
    assert min(load.seen.values()) >= 5, load.seen
    assert not set(before) & set(site.pids())


def test_a_set_that_does_not_come_back_loses_nothing_either(site: Site) -> None:
    restart = f"{sys.executable} {SET} stop {{port}} {site.folder}"
    (status, said), load = asyncio.run(under_load(site, restart, timeout=3))
    assert status == 1
    assert f"Le jeu du port {site.ports[0]} n'est pas prêt" in said
    assert load.lost == []
    assert str(site.ports[0]) not in (site.folder / "albert-upstream.conf").read_text()
