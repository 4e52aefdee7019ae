"""The contract for streaming under /api/v2, on a real PostgreSQL, by faults."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, select
from starlette.types import Message

from albert.api.app import Application, create_app
from albert.api.database.engine import Database
from albert.api.features.accounts.tables import User
from albert.api.features.streams.tables import Piece, Stream
from albert.api.services import Policy
from albert.assistant.guarded import GuardedAnswerer
from albert.domain.errors import ModelUnreachable
from albert.guard.stream import AddressGuard
from albert.guard.whitelist import Whitelist, well_known
from albert.testing.paced import PacedAnswerer
from albert.testing.services import ask, enrol, scripted, with_database
from albert.wire.sse import Decoder, ServerEvent

pytestmark = pytest.mark.integration


@dataclass
class Reader:
    """Somebody who reads a stream, and may leave."""

    app: Application
    token: str
    path: str
    last_event_id: str = ""
    status: int = 0
    events: list[ServerEvent] = field(default_factory=list)
    comments: int = 0
    _left: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._decoder = Decoder()
        self._asked = False
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        headers = [(b"authorization", f"Bearer {self.token}".encode())]
        if self.last_event_id:
            headers.append((b"last-event-id", self.last_event_id.encode()))
        scope = {
            "type": "http",
            "method": "GET",
            "path": self.path,
            "query_string": b"",
            "headers": headers,
            "http_version": "1.1",
            "scheme": "http",
            "root_path": "",
        }
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        body = message.get("body", b"")
        self.comments += body.startswith(b":")
        self.events += self._decoder.feed(body)

    @property
    def text(self) -> str:
        chunks = [orjson.loads(e.data) for e in self.events if e.data != "[DONE]"]
        return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)

    @property
    def last(self) -> dict[str, Any]:
        """The finish chunk."""
        assert self.events[-1].data == "[DONE]"
        chunk: dict[str, Any] = orjson.loads(self.events[-2].data)
        return chunk

    async def leave(self) -> None:
        self._left.set()
        await self.finished()

    async def finished(self) -> None:
        assert self._task is not None
        await asyncio.wait_for(self._task, 10)


@dataclass
class Scene:
    """Workers on one database, what answers, and an account."""

    apps: list[Application]
    database: Database
    answerer: PacedAnswerer
    token: str

    async def stream(self, query: str = "Combien coûte un passeport ?") -> int:
        async with self.database.session() as session:
            made = Stream(
                user_id=1,
                model_name=self.answerer.model,
                query=query,
                context="",
                institution="",
                links="",
                temperature=0.2,
            )
            session.add(made)
            await session.flush()
            return made.id

    def read(self, stream_id: int, worker: int = 0, last_event_id: str = "") -> Reader:
        path = f"/api/v2/stream/{stream_id}/start"
        return Reader(self.apps[worker], self.token, path, last_event_id)

    async def kept(self, stream_id: int) -> Stream:
        async with self.database.session() as session:
            found = await session.scalar(select(Stream).where(Stream.id == stream_id))
            assert found is not None
            return found

    async def stop(self, stream_id: int, worker: int = 0) -> int:
        path = f"/api/v2/stream/{stream_id}/stop"
        return (await ask(self.apps[worker], "POST", path, key=self.token)).status


@asynccontextmanager
async def scene(
    uri: str, *, workers: int = 1, resume: float = 15, guarded: bool = False
) -> AsyncIterator[Scene]:
    answerer = PacedAnswerer()
    guard = AddressGuard(lambda: Whitelist.of({"number": well_known()}))
    speaking = GuardedAnswerer(answerer, guard) if guarded else answerer
    policy = Policy(resume_seconds=resume, drain_seconds=0)
    served = [with_database(scripted(speaking, policy=policy), uri) for _ in range(workers)]
    apps = [create_app(services) for services in served]
    for app in apps:
        await app.open()
    token = await enrol(served[0].database, "camille")
    try:
        yield Scene(apps, served[0].database, answerer, token)
    finally:
        for app in apps:
            await app.close()


async def until(
    met: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 15
) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = met()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


def test_an_answer_is_told_piece_by_piece_then_kept(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("Le passeport ", "coûte ")
            await until(lambda: reader.text == "Le passeport coûte ")
            assert (await here.kept(stream_id)).state == "running"
            here.answerer.say("86 €.")
            here.answerer.end()
            await reader.finished()

            kept = await here.kept(stream_id)
            assert reader.text == "Le passeport coûte 86 €."
            assert reader.last["choices"][0]["finish_reason"] == "stop"
            assert (kept.state, kept.response) == ("done", "Le passeport coûte 86 €.")
            assert kept.completion_tokens == 5  # the test's embedder counts words
            async with here.database.session() as session:
                assert (await session.scalars(select(Piece))).all() == []

    asyncio.run(play())


def test_every_data_event_has_the_delta_that_clients_read(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            reader = here.read(await here.stream())
            here.answerer.say("Bonjour")
            here.answerer.end()
            await reader.finished()
            for event in reader.events[:-1]:
                assert "delta" in orjson.loads(event.data)["choices"][0]

    asyncio.run(play())


def test_a_finished_stream_is_told_again_and_nothing_is_generated(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            first = here.read(stream_id)
            here.answerer.say("Oui", ".")
            here.answerer.end()
            await first.finished()
            again = here.read(stream_id)
            await again.finished()

            assert again.text == first.text == "Oui."
            assert again.last == first.last
            assert len(here.answerer.questions) == 1

    asyncio.run(play())


@pytest.mark.parametrize("second_worker", [0, 1])
def test_two_readers_share_one_generation(database_uri: str, second_worker: int) -> None:
    async def play() -> None:
        async with scene(database_uri, workers=2) as here:
            stream_id = await here.stream()
            one = here.read(stream_id)
            here.answerer.say("un ", "deux ")
            await until(lambda: one.text == "un deux ")
            other = here.read(stream_id, second_worker)
            await until(lambda: other.text == "un deux ")
            here.answerer.say("trois")
            here.answerer.end()
            await one.finished()
            await other.finished()

            assert one.text == other.text == "un deux trois"
            assert len(here.answerer.questions) == 1

    asyncio.run(play())


@pytest.mark.parametrize("second_worker", [0, 1])
def test_a_reader_who_left_resumes_where_they_were(database_uri: str, second_worker: int) -> None:
    async def play() -> None:
        async with scene(database_uri, workers=2) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("abc", "dé")
            await until(lambda: reader.text == "abcdé")
            await reader.leave()
            here.answerer.say("fg")
            back = here.read(stream_id, second_worker, last_event_id="4")
            await until(lambda: back.text == "éfg")
            here.answerer.end()
            await back.finished()

            assert back.text == "éfg"
            assert back.last["state"] == "done"

    asyncio.run(play())


def test_who_has_heard_the_end_is_told_to_come_back_no_more(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.end()
            await reader.finished()
            back = here.read(stream_id, last_event_id=reader.events[-2].id or "")
            await back.finished()

            assert back.status == 204

    asyncio.run(play())


def test_without_a_reader_the_answer_is_cancelled_and_what_was_said_is_kept(
    database_uri: str,
) -> None:
    async def play() -> None:
        async with scene(database_uri, resume=0.2) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("Le début")
            await until(lambda: reader.text == "Le début")
            await reader.leave()
            async with asyncio.timeout(0.2 + 5):
                await here.answerer.closed.wait()

            async def interrupted() -> bool:
                return (await here.kept(stream_id)).state == "interrupted"

            await until(interrupted)
            kept = await here.kept(stream_id)
            assert (kept.response, kept.completion_tokens) == ("Le début", 2)

    asyncio.run(play())


def test_a_reader_on_another_worker_keeps_the_answer_going(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri, workers=2, resume=0.3) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("un")
            await until(lambda: reader.text == "un")
            away = here.read(stream_id, 1)
            await until(lambda: away.text == "un")
            await reader.leave()
            await asyncio.sleep(0.6)  # twice what it has without a reader
            assert not here.answerer.closed.is_set()
            await away.leave()
            async with asyncio.timeout(0.3 + 5):
                await here.answerer.closed.wait()

    asyncio.run(play())


@pytest.mark.parametrize("stopping_worker", [0, 1])
def test_stop_ends_the_generation_from_any_worker(database_uri: str, stopping_worker: int) -> None:
    async def play() -> None:
        async with scene(database_uri, workers=2) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("Trop long")
            await until(lambda: reader.text == "Trop long")

            assert await here.stop(stream_id, stopping_worker) == 200
            assert here.answerer.closed.is_set()
            await reader.finished()
            assert reader.last["state"] == "interrupted"
            kept = await here.kept(stream_id)
            assert (kept.state, kept.response) == ("interrupted", "Trop long")

    asyncio.run(play())


def test_a_stream_stopped_before_it_begins_is_never_generated(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            assert await here.stop(stream_id) == 200
            reader = here.read(stream_id)
            await reader.finished()

            assert (reader.text, reader.last["state"]) == ("", "interrupted")
            assert here.answerer.questions == []

    asyncio.run(play())


def test_an_error_in_mid_stream_ends_with_an_error_event(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("Le début")
            await until(lambda: reader.text == "Le début")
            here.answerer.fail(ModelUnreachable())
            await reader.finished()

            assert reader.last["error"]["code"] == "model_unreachable"
            assert reader.last["choices"][0]["finish_reason"] == "error"
            kept = await here.kept(stream_id)
            assert (kept.state, kept.response) == ("failed", "Le début")
            again = here.read(stream_id)
            await again.finished()
            assert again.last == reader.last

    asyncio.run(play())


def test_an_error_before_the_first_word_has_its_status(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            here.answerer.fail(ModelUnreachable())
            reader = here.read(stream_id)
            await reader.finished()
            again = here.read(stream_id)
            await again.finished()

            assert (reader.status, again.status) == (502, 502)
            assert len(here.answerer.questions) == 1

    asyncio.run(play())


def test_what_a_killed_worker_wrote_is_kept_and_marked_interrupted(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            async with here.database.session() as session:
                stream = await session.get_one(Stream, stream_id)
                stream.state, stream.worker = "running", 4242  # whose lock nobody holds
                session.add(Piece(stream_id=stream_id, position=0, text="Avant la "))
                session.add(Piece(stream_id=stream_id, position=9, text="coupure"))
            reader = here.read(stream_id)
            await reader.finished()

            assert reader.text == "Avant la coupure"
            assert reader.last["state"] == "interrupted"
            kept = await here.kept(stream_id)
            assert (kept.state, kept.response) == ("interrupted", "Avant la coupure")

    asyncio.run(play())


def test_a_worker_that_starts_closes_the_answers_of_those_that_are_gone(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            async with here.database.session() as session:
                stream = await session.get_one(Stream, stream_id)
                stream.state, stream.worker = "running", 4242
        async with scene_again(database_uri) as database, database.session() as session:
            assert await session.scalar(select(Stream.state)) == "interrupted"

    asyncio.run(play())


@asynccontextmanager
async def scene_again(uri: str) -> AsyncIterator[Database]:
    services = with_database(scripted(PacedAnswerer()), uri)
    app = create_app(services)
    await app.open()
    try:
        yield services.database
    finally:
        await app.close()


def test_a_silent_model_is_covered_by_heartbeats(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            [app] = here.apps
            app.hub.beat = 0.05
            reader = here.read(await here.stream())
            await until(lambda: reader.comments >= 3)
            assert reader.status == 200
            here.answerer.say("Enfin")
            here.answerer.end()
            await reader.finished()
            assert reader.text == "Enfin"

    asyncio.run(play())


def test_a_service_that_stops_closes_its_answers_as_interrupted(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            [app] = here.apps
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("Le début")
            await until(lambda: reader.text == "Le début")
            app.drain()  # which leaves no time here
            await app.idle()
            await reader.finished()
            assert reader.last["state"] == "interrupted"
            assert (await here.kept(stream_id)).response == "Le début"
            late = here.read(await here.stream())
            await late.finished()
            assert late.status == 503

    asyncio.run(play())


def test_an_account_erased_in_mid_answer_stops_the_model(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("Le début")
            await until(lambda: reader.text == "Le début")
            async with here.database.session() as session:
                await session.execute(delete(User))
            here.answerer.say("la suite")
            async with asyncio.timeout(5):
                await here.answerer.closed.wait()
            await reader.finished()
            assert reader.text == "Le début"

    asyncio.run(play())


def test_no_connection_is_held_while_the_model_writes(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_ids = [await here.stream() for _ in range(50)]  # the pool has twenty
            readers = [here.read(stream_id) for stream_id in stream_ids]
            await until(lambda: len(here.answerer.questions) == 50)
            pool: Any = here.database.engine.pool
            await until(lambda: bool(pool.checkedout() == 0))
            for _ in readers:
                here.answerer.end()
            for reader in readers:
                await reader.finished()

    asyncio.run(play())


def test_somebody_else_may_neither_start_nor_stop(database_uri: str) -> None:
    async def play() -> None:
        async with scene(database_uri) as here:
            stream_id = await here.stream()
            other = await enrol(here.database, "dominique")
            [app] = here.apps
            statuses = [
                (await ask(app, "GET", f"/api/v2/stream/{stream_id}/start", key=other)).status,
                (await ask(app, "POST", f"/api/v2/stream/{stream_id}/stop", key=other)).status,
                (await ask(app, "GET", "/api/v2/stream/999/start", key=other)).status,
            ]
            assert statuses == [403, 403, 404]

    asyncio.run(play())


def test_links_are_verified_while_they_stream_and_what_was_found_is_kept(
    database_uri: str,
) -> None:
    async def play() -> None:
        async with scene(database_uri, guarded=True) as here:
            stream_id = await here.stream()
            reader = here.read(stream_id)
            here.answerer.say("Voir https://faux.exe", "mple/rsa ", "ou le 3939.")
            here.answerer.end()
            await reader.finished()

            assert reader.text == "Voir [URL MASQUÉE] ou le 3939."
            [finding] = reader.last["findings"]
            assert finding["found"] == "https://faux.exemple/rsa"
            kept = await here.kept(stream_id)
            assert kept.response == reader.text
            assert kept.finish is not None
            assert kept.finish["findings"] == [finding]

    asyncio.run(play())
