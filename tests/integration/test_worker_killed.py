"""A worker is killed, or the database goes away, in the middle of an answer."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import orjson
import pytest
from sqlalchemy import select

from albert.api.app import create_app
from albert.api.database.engine import Database
from albert.api.features.streams.tables import Stream
from albert.serving.embedded_postgres import EmbeddedPostgres
from albert.testing.paced import PacedAnswerer
from albert.testing.services import ask, enrol, scripted, with_database
from albert.wire.sse import Decoder

pytestmark = pytest.mark.integration

WORKER = """
import asyncio, sys
import uvloop
from albert.api.app import create_app
from albert.asgi.run import serve
from albert.testing.paced import PacedAnswerer
from albert.testing.services import scripted, with_database

async def main():
    answerer = PacedAnswerer()
    app = create_app(with_database(scripted(answerer), sys.argv[1]))
    async def count():
        await answerer.begun.wait()
        for number in range(100_000):
            answerer.say(f"{number} ")
            await asyncio.sleep(0.001)
    counting = asyncio.create_task(count())
    await serve(app, "127.0.0.1", 0, lambda address: print(address, flush=True))

uvloop.run(main())
"""


@asynccontextmanager
async def opened(uri: str) -> AsyncIterator[Database]:
    database = Database(uri)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def ask_stream(database: Database) -> int:
    async with database.session() as session:
        stream = Stream(
            user_id=1,
            model_name="albert-extractif",
            query="Compte",
            context="",
            institution="",
            links="",
            temperature=0,
        )
        session.add(stream)
        await session.flush()
        return stream.id


def test_kill_9_in_mid_stream_loses_no_text_that_was_read(database_uri: str) -> None:
    async def play() -> tuple[str, Stream]:
        async with opened(database_uri) as database:
            token = await enrol(database, "camille")
            stream_id = await ask_stream(database)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", WORKER, database_uri), stdout=asyncio.subprocess.PIPE
            )
            assert process.stdout is not None
            address = (await process.stdout.readline()).decode().strip()
            path = f"{address}/api/v2/stream/{stream_id}/start"
            heard = await read_until_killed(process, path, token)
            await process.wait()
        services = with_database(scripted(), database_uri)
        app = create_app(services)  # the worker that starts again
        await app.open()
        try:
            async with services.database.session() as session:
                return heard, await session.get_one(Stream, stream_id)
        finally:
            await app.close()

    heard, kept = asyncio.run(play())
    assert len(heard) > 100
    assert kept.state == "interrupted"
    assert kept.response is not None
    assert kept.response.startswith(heard)


async def read_until_killed(process: asyncio.subprocess.Process, path: str, token: str) -> str:
    """Return all that was read before the connection broke."""
    heard, decoder = "", Decoder()
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as client,
        client.get(path) as response,
    ):
        try:
            async for data in response.content.iter_any():
                for event in decoder.feed(data):
                    heard += content_of(event.data)
                if len(heard) > 500:
                    process.kill()
        except aiohttp.ClientError:
            pass
    return heard


def content_of(data: str) -> str:
    choice = orjson.loads(data)["choices"][0]
    return str(choice["delta"].get("content", ""))


class TestDatabaseAway:
    def test_the_service_says_so_and_recovers_by_itself(self, tmp_path: Path) -> None:
        async def play() -> None:
            with EmbeddedPostgres(tmp_path / "pg", durable=False) as first:
                services = with_database(scripted(PacedAnswerer()), first.uri)
                app = create_app(services)
                await app.open()
                token = await enrol(services.database, "camille")
                known = [(await ask(app, "GET", "/v1/models", key=token)).status]
            await asyncio.sleep(0.2)
            away = [
                (await ask(app, "GET", "/health/live", key=None)).status,
                (await ask(app, "GET", "/health/ready", key=None)).status,
                (await ask(app, "GET", "/v1/models", key=token)).status,
                (await ask(app, "GET", "/v1/models", key="albert-inconnu")).status,
            ]
            with EmbeddedPostgres(tmp_path / "pg", durable=False):
                async with asyncio.timeout(10):
                    while not services.database.listener.connected:  # noqa: ASYNC110 — to watch
                        await asyncio.sleep(0.05)
                back = [
                    (await ask(app, "GET", "/health/ready", key=None)).status,
                    (await ask(app, "GET", "/v1/models", key=token)).status,
                    (await ask(app, "GET", "/v1/models", key="albert-inconnu")).status,
                ]
                await app.close()
            assert known == [200]
            assert away == [200, 503, 200, 503]
            assert back == [200, 200, 401]

        asyncio.run(play())

    def test_an_answer_survives_connections_that_are_cut(self, database_uri: str) -> None:
        async def play() -> str | None:
            answerer = PacedAnswerer()
            services = with_database(scripted(answerer), database_uri)
            app = create_app(services)
            await app.open()
            token = await enrol(services.database, "camille")
            stream_id = await ask_stream(services.database)
            path = f"/api/v2/stream/{stream_id}/start"
            reading = asyncio.create_task(ask(app, "GET", path, key=token))
            await answerer.begun.wait()
            answerer.say("avant ")
            await asyncio.sleep(0.1)
            await cut_all(database_uri)
            answerer.say("après")
            answerer.end()
            answered = await asyncio.wait_for(reading, 15)
            async with services.database.session() as session:
                kept = await session.scalar(select(Stream.response))
            await app.close()
            assert b"[DONE]" in answered.body
            return kept

        assert asyncio.run(play()) == "avant après"


async def cut_all(uri: str) -> None:
    connection = await asyncpg.connect(uri)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
