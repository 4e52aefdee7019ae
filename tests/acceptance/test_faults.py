"""Two replicas under load: one is killed, hangs, slows down, talks nonsense; nobody suffers."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from replicas import Process, replicas, write_table
from service import Running, environment

pytestmark = pytest.mark.acceptance

__all__ = ["replicas"]  # a fixture

CLIENTS = 8
PATIENCE = 60.0


@pytest.fixture
def gateway(tmp_path: Path, replicas: tuple[Process, Process]) -> Iterator[tuple[str, str]]:
    """The address and the key of a gateway in front of both."""
    table = tmp_path / "table.json"
    write_table(table, replicas)
    env = environment(tmp_path / "home") | {"ALBERT_ROUTING_TABLE": str(table)}
    running = Running(env, "serve", "gateway", ready="La passerelle répond sur")
    try:
        running.wait_ready(PATIENCE)
        key = (tmp_path / "home" / "secrets" / "api-key").read_text().strip()
        yield f"http://127.0.0.1:{env['ALBERT_PORT']}", key
    finally:
        running.interrupt()


class Load:
    """Clients that ask one question after the other; what failed, and who answered."""

    def __init__(self, address: str, key: str) -> None:
        self._address = f"{address}/v1/chat/completions"
        self._headers = {"authorization": f"Bearer {key}"}
        self.failed: list[str] = []
        self.cut = 0
        """Streams that had begun on a replica that then died."""
        self._answered = asyncio.Condition()
        self._by: list[str] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(headers=self._headers) as client:
            tasks = [asyncio.create_task(self._ask(client, i % 2 == 0)) for i in range(CLIENTS)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended

    async def until(self, name: str, times: int) -> None:
        """Wait for so many more answers of a replica."""
        async with asyncio.timeout(PATIENCE), self._answered:
            wanted = self._by.count(name) + times
            await self._answered.wait_for(lambda: self._by.count(name) >= wanted)

    async def _ask(self, client: aiohttp.ClientSession, streamed: bool) -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": streamed}
        while True:
            async with client.post(self._address, json=body) as response:
                said = await response.read()
            name = next((name for name in ("one", "two") if f'"{name}"'.encode() in said), "")
            whole = response.status == 200 and (not streamed or b'"error"' not in said)
            if not whole and name:
                self.cut += 1
            elif not whole:
                self.failed.append(f"{response.status} {said.decode(errors='replace')}")
            async with self._answered:
                self._by.append(name if whole else "")
                self._answered.notify_all()


def test_no_request_fails_that_had_not_begun_and_all_recovers(
    replicas: tuple[Process, Process], gateway: tuple[str, str]
) -> None:
    one, two = replicas

    async def scenario() -> None:
        load = Load(*gateway)
        async with load.running():
            await load.until("one", 20)
            await load.until("two", 20)

            one.kill()  # -9
            await load.until("two", 100)
            one.start()
            await load.until("one", 20)
            assert load.failed == []

            two.send(signal.SIGSTOP)  # it hangs, connections and all
            await load.until("one", 100)
            two.send(signal.SIGCONT)
            await load.until("two", 20)
            assert load.failed == []

            await one.become("slow")
            await load.until("two", 100)
            await one.become("well")
            await load.until("one", 20)
            assert load.failed == []

            await two.become("garbage")
            await load.until("one", 100)
            await two.become("well")
            await load.until("two", 20)
            assert load.failed == []
        assert load.cut <= CLIENTS  # those that the killed replica was in the middle of

    asyncio.run(scenario())
