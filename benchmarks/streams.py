"""300 readers at once on two cores: /api/v2 streams, created, started, read to their end, again.

    python benchmarks/streams.py                 # a minute
    python benchmarks/streams.py --minutes 10    # the figure that is wanted

A worker as it is served (uvicorn, uvloop, a durable PostgreSQL) in a process of its own, an
answerer that says 200 pieces at once, readers in another process. In the same run, as a
measure of what keeping answers costs, the same readers ask /v1/chat/completions, which
keeps nothing.
Wanted: no error, and the worker's memory flat. Exits with 1 where one of them is not had.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import uvloop

from albert.api.app import create_app
from albert.api.database.engine import Database
from albert.asgi.run import serve
from albert.assistant.contract import EXTRACTIVE, Event, Finish, Piece, Question, Sources
from albert.serving.embedded_postgres import EmbeddedPostgres
from albert.testing.services import PASSPORT, enrol, scripted, with_database

PIECES = 200
FLAT = 1.1
"""How many times its memory after warming up the worker may have at the end."""
SAID = tuple(f"mot{number} " for number in range(PIECES))
SILENT_SECONDS = 60.0
"""After which a reader takes its stream for hung: an error."""


class Instant:
    """Says everything at once, and remembers nothing."""

    model = EXTRACTIVE

    async def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        yield Sources((PASSPORT,), question.text)
        for said in SAID:
            yield Piece(said)
        yield Finish(citations=(), mode="extractive", answered=True)


@dataclass
class Tally:
    """What the readers of one kind of stream met."""

    seconds: float = 0.0
    streams: int = 0
    events: int = 0
    errors: list[str] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    """Seconds from asking a stream to its first piece."""

    def told(self, name: str) -> str:
        ordered = sorted(self.first) or [0.0]
        p50, p95 = (1e3 * ordered[int(len(ordered) * part)] for part in (0.5, 0.95))
        return (
            f"{name:>20}: {self.streams / self.seconds:6.1f} streams/s, "
            f"{self.events / self.seconds:8,.0f} events/s, first piece p50 {p50:.0f} ms, "
            f"p95 {p95:.0f} ms, {len(self.errors)} errors in {self.streams} streams"
        )


@dataclass
class Load:
    """Readers of one worker, all with the same account."""

    session: aiohttp.ClientSession
    readers: int

    async def run(self, stream: Callable[[Tally], Awaitable[None]], seconds: float) -> Tally:
        tally, start = Tally(), time.perf_counter()

        async def read_again_and_again() -> None:
            while time.perf_counter() - start < seconds:
                try:
                    await stream(tally)
                except (aiohttp.ClientError, TimeoutError, WrongAnswer) as error:
                    tally.errors.append(repr(error))

        await asyncio.gather(*(read_again_and_again() for _ in range(self.readers)))
        tally.seconds = time.perf_counter() - start
        return tally

    async def kept(self, tally: Tally) -> None:
        """Create a stream, start it, read it."""
        body = {"model_name": EXTRACTIVE, "query": "Combien coûte un passeport ?"}
        async with self.session.post("/api/v2/stream", json=body) as made:
            expect(made.status == 200, f"created with {made.status}")
            stream_id = (await made.json())["id"]
        await self._read("GET", f"/api/v2/stream/{stream_id}/start", None, tally)

    async def passing(self, tally: Tally) -> None:
        """Read an answer that is not kept."""
        messages = [{"role": "user", "content": "Combien coûte un passeport ?"}]
        body = {"model": EXTRACTIVE, "stream": True, "messages": messages}
        await self._read("POST", "/v1/chat/completions", body, tally)

    async def _read(self, method: str, path: str, body: object, tally: Tally) -> None:
        asked, said, first = time.perf_counter(), bytearray(), 0.0
        async with self.session.request(method, path, json=body) as answer:
            expect(answer.status == 200, f"started with {answer.status}")
            async for data in answer.content.iter_any():
                said += data
                if not first and b"mot0" in said:
                    first = time.perf_counter() - asked
        events = said.count(b"data: ")
        # its opening, its pieces, how it ended, [DONE]
        expect(events == PIECES + 3 and said.endswith(b"data: [DONE]\n\n"), f"{events} events")
        tally.first.append(first)
        tally.streams += 1
        tally.events += events


class WrongAnswer(Exception):
    """A stream that was not told whole."""


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise WrongAnswer(otherwise)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--minutes", type=float, default=1.0)
    arguments.add_argument("--readers", type=int, default=300)
    arguments.add_argument("--serve", metavar="POSTGRES", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if given.serve:
        uvloop.run(work(given.serve))
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres", durable=True) as server,
    ):
        sys.exit(not uvloop.run(measure(server.uri, 60 * given.minutes, given.readers)))


async def work(uri: str) -> None:
    """Be the worker, until told to stop."""
    app = create_app(with_database(scripted(Instant()), uri))
    await serve(app, "127.0.0.1", 0, lambda address: print(address, flush=True))


async def measure(uri: str, seconds: float, readers: int) -> bool:
    """Load a worker, print what was measured; return whether every limit was kept."""
    database = Database(uri)
    await database.open()
    token = await enrol(database, "lecteur")
    await database.close()
    worker = subprocess.Popen(  # noqa: ASYNC220 — nothing else runs yet
        [sys.executable, __file__, "--serve", uri], stdout=subprocess.PIPE, text=True
    )
    try:
        address = await asyncio.to_thread(worker.stdout.readline)
        async with aiohttp.ClientSession(
            address.strip(),
            headers={"authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=SILENT_SECONDS),
        ) as session:
            return await told(Load(session, readers), worker.pid, seconds)
    finally:
        worker.terminate()
        with suppress(subprocess.TimeoutExpired):
            worker.wait(15)
        worker.kill()
        worker.wait()


async def told(load: Load, worker: int, seconds: float) -> bool:
    print(f"{load.readers} readers, {PIECES} pieces a stream, {seconds:.0f} s")
    at_start = memory(worker)
    passing = await load.run(load.passing, seconds / 6)
    print(passing.told("/v1, not kept"), flush=True)
    warming = await load.run(load.kept, seconds / 6)
    warm = memory(worker)
    kept = await load.run(load.kept, seconds * 4 / 6)
    at_end = memory(worker)
    print(kept.told("/api/v2, kept"))
    ratio = (passing.streams / passing.seconds) / (kept.streams / kept.seconds)
    print(f"keeping an answer costs {ratio:.1f} times an answer that is not kept")
    print(
        f"memory of the worker: {at_start:.0f} MB at start, {warm:.0f} warm, {at_end:.0f} at end "
        f"({at_end / warm:.2f} times)"
    )
    errors = [*passing.errors, *warming.errors, *kept.errors]
    for error in sorted(set(errors))[:5]:
        print(f"error: {error}")
    flat = at_end <= FLAT * warm
    print(f"{'kept' if not errors and flat else 'BROKEN'}: 0 errors, memory at most {FLAT} times")
    return not errors and flat


def memory(process: int) -> float:
    """Return what a process has in memory, in MB (proc(5))."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
