"""The client and the real service, over HTTP, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest
from http_served import served, serving

from albert.api.app import create_app
from albert.api.database.engine import Database
from albert.api.services import Services
from albert.assistant.contract import EXTRACTIVE
from albert.client import Albert, AsyncAlbert
from albert.client.errors import AnswerFailed, Forbidden, NotFound, RequestRefused, TokenRefused
from albert.domain.errors import ModelUnreachable
from albert.testing.answers import ScriptedAnswerer
from albert.testing.paced import PacedAnswerer
from albert.testing.services import PASSPORT, enrol, scripted, with_database

pytestmark = pytest.mark.integration

QUESTION = "Combien coûte un passeport ?"
PASSWORD = "Bon-mot-2-passe"  # noqa: S105 — of an account of the test


def token_of(uri: str, username: str, *, admin: bool = False) -> str:
    async def enrolled() -> str:
        database = Database(uri)
        await database.open()
        try:
            return await enrol(database, username, admin=admin)
        finally:
            await database.close()

    return asyncio.run(enrolled())


@contextmanager
def client_of(uri: str, services: Services | None = None) -> Iterator[Albert]:
    """Camille's client."""
    token = token_of(uri, "camille")
    app = create_app(with_database(services or scripted(), uri))
    with served(app) as address, Albert(address, token) as client:
        yield client


@pytest.fixture
def camille(database_uri: str) -> Iterator[Albert]:
    with client_of(database_uri) as client:
        yield client


def test_an_account_from_its_request_to_its_end(database_uri: str) -> None:
    chief = token_of(database_uri, "chef", admin=True)
    app = create_app(with_database(scripted(), database_uri))
    with served(app) as address, Albert(address, chief) as admin, Albert(address) as client:
        client.sign_up("dominique", "dominique@exemple.fr", PASSWORD)
        assert [one.username for one in admin.users.pending()] == ["dominique"]
        with pytest.raises(RequestRefused):
            client.sign_in("dominique", PASSWORD)
        admin.users.confirm("dominique@exemple.fr")

        client.sign_in("dominique@exemple.fr", PASSWORD)
        me = client.me()
        assert (me.username, me.is_confirmed, me.is_admin) == ("dominique", True, False)
        with pytest.raises(Forbidden):
            client.users.pending()
        client.sign_out()
        with pytest.raises(TokenRefused):
            client.me()

        client.sign_in("dominique", PASSWORD)
        client.delete_me()
        with pytest.raises(RequestRefused):
            client.sign_in("dominique", PASSWORD)


def test_what_is_kept_of_somebody_is_taken_away(camille: Albert) -> None:
    camille.ask(QUESTION)

    with zipfile.ZipFile(io.BytesIO(camille.export())) as archive:
        [name] = archive.namelist()
        kept = json.loads(archive.read(name))

    assert QUESTION in json.dumps(kept, ensure_ascii=False)


def test_a_token_is_shown_once_and_killed_by_its_name(camille: Albert) -> None:
    secret = camille.tokens.create("poste:1")
    with Albert(camille._core._connection.address, secret) as other:
        assert other.me().username == "camille"
        assert "poste:1" in [token.name for token in camille.tokens.list()]
        camille.tokens.delete("poste:1")
        with pytest.raises(TokenRefused):
            other.me()
    assert "poste:1" not in [token.name for token in camille.tokens.list()]


def test_an_answer_comes_with_its_sources(camille: Albert) -> None:
    answer = camille.ask(QUESTION, limit=5)

    assert answer.text == "Le passeport coûte 86 €."
    assert (answer.state, answer.mode, answer.answered) == ("done", "extractive", True)
    assert answer.model == EXTRACTIVE
    assert answer.references == (PASSPORT.id,)
    [source] = answer.sources
    assert (source.sid, source.date, source.url) == ("F14929", "2020-04-30", PASSPORT.url)
    assert camille.streams.read(answer.stream_id).limit == 5


def test_an_answer_comes_piece_by_piece_then_as_a_whole(camille: Albert) -> None:
    with camille.ask_stream(QUESTION) as stream:
        pieces = list(stream)

    assert "".join(pieces) == "Le passeport coûte 86 €."
    assert stream.answer.text == stream.text == "Le passeport coûte 86 €."
    assert camille.streams.start(stream.id).whole().text == stream.text


def test_a_chat_from_its_opening_to_its_end(camille: Albert) -> None:
    chat = camille.chats.create("qa", themes=["papiers"])
    assert (chat.chat_type, chat.themes, chat.chat_name) == ("qa", ("papiers",), None)
    answer = camille.ask(QUESTION, chat=chat.id)
    assert camille.feedback.add(answer.stream_id, is_good=True).is_good

    assert camille.chats.rename(chat.id, "Passeport").chat_name == "Passeport"
    assert camille.chats.change_type(chat.id, "meeting").chat_type == "meeting"
    assert [one.id for one in camille.chats.list(desc=True)] == [chat.id]
    assert camille.chats.read(chat.id).stream_count == 1
    archive = camille.chats.archive(chat.id)
    [stream] = archive.streams
    assert (stream.query, stream.response) == (QUESTION, answer.text)
    assert stream.feedback is not None
    assert [one.id for one in camille.streams.list(chat=chat.id)] == [stream.id]

    camille.chats.delete(chat.id)
    with pytest.raises(NotFound):
        camille.chats.read(chat.id)


def test_an_opinion_from_its_giving_to_its_end(camille: Albert) -> None:
    stream = camille.streams.create(QUESTION)
    given = camille.feedback.evaluate(stream.id, 4, positives=["clair"], message="Bien.")
    assert (given.note, given.positives, given.message) == (4, ("clair",), "Bien.")
    assert camille.feedback.read(given.id) == given
    assert camille.feedback.list() == [given]

    camille.feedback.delete(given.id)
    assert camille.feedback.list() == []


def test_passages_and_sheets_are_found(camille: Albert) -> None:
    stream = camille.streams.create(QUESTION)
    [chunk] = camille.search("passeport", limit=1, stream_id=stream.id)
    assert (chunk.hash, chunk.text, chunk.score) == (PASSPORT.id, PASSPORT.text, 1.0)
    assert camille.streams.read(stream.id).search_sids == ("F14929",)

    assert camille.chunk(chunk.hash).title == "Passeport"
    found = camille.chunks([chunk.hash, "unknown"])
    assert [one and one.hash for one in found] == [chunk.hash, None]
    assert camille.sheet("service-public/F14929").sections[0].text == PASSPORT.text
    assert [one and one.sid for one in camille.sheets(["unknown", "F14929"])] == [None, "F14929"]
    with pytest.raises(NotFound):
        camille.sheet("F0")


def test_what_the_service_offers(camille: Albert) -> None:
    assert camille.models()[EXTRACTIVE].default
    assert camille.institutions() == []
    assert camille.organizations() == []


def test_an_answer_is_stopped_in_its_midst(database_uri: str) -> None:
    answerer = ScriptedAnswerer(["Le passeport "], endless=True)
    with client_of(database_uri, scripted(answerer)) as client:
        stream = client.ask_stream(QUESTION)
        assert next(stream) == "Le passeport "
        stream.stop()
        assert stream.whole().state == "interrupted"
        assert answerer.closed.wait(5)
        assert client.streams.stop(stream.id).response == "Le passeport "


def test_a_model_that_fails_in_mid_answer_says_so(database_uri: str) -> None:
    answerer = ScriptedAnswerer(["Le passeport "], error=ModelUnreachable())
    with client_of(database_uri, scripted(answerer)) as client:
        stream = client.ask_stream(QUESTION)
        with pytest.raises(AnswerFailed, match="ne répond pas") as caught:
            stream.whole()
        assert (caught.value.code, caught.value.text) == ("model_unreachable", "Le passeport ")


@dataclass
class Network:
    """Stands between a client and a service, and breaks when it is told."""

    address: str = ""
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    @asynccontextmanager
    async def before(self, service: str) -> AsyncIterator[None]:
        port = int(service.rpartition(":")[2])

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            onward, outward = await asyncio.open_connection("127.0.0.1", port)
            self._writers += [writer, outward]
            await asyncio.gather(_pass(reader, outward), _pass(onward, writer))

        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            self.cut()
            server.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def over_a_network(
    uri: str, story: Callable[[AsyncAlbert, PacedAnswerer, Network], Awaitable[None]]
) -> None:
    async def told() -> None:
        answerer, network = PacedAnswerer(), Network()
        services = with_database(scripted(answerer), uri)
        async with serving(create_app(services)) as (address, _), network.before(address):
            token = await enrol(services.database, "camille")
            async with AsyncAlbert(network.address, token, delays=(0.0, 0.1, 0.5)) as client:
                await story(client, answerer, network)

    asyncio.run(told())


def test_an_answer_goes_on_when_the_network_comes_back(database_uri: str) -> None:
    async def story(client: AsyncAlbert, answerer: PacedAnswerer, network: Network) -> None:
        stream = await client.ask_stream(QUESTION)
        answerer.say("Été ")
        assert await stream.next_piece() == "Été "
        network.cut()
        answerer.say("comme ")
        assert await stream.next_piece() == "comme "
        network.cut()
        answerer.say("hiver.")
        answerer.end()
        assert (await stream.whole()).text == "Été comme hiver."
        assert len(answerer.questions) == 1
        kept = await client.streams.read(stream.id)
        assert (kept.response, kept.state) == ("Été comme hiver.", "done")

    over_a_network(database_uri, story)


def test_several_answers_are_read_at_once(database_uri: str) -> None:
    async def told() -> None:
        services = with_database(scripted(), database_uri)
        async with serving(create_app(services)) as (address, _):
            token = await enrol(services.database, "camille")
            async with AsyncAlbert(address, token) as client:
                answers = await asyncio.gather(*(client.ask(QUESTION) for _ in range(5)))
                assert {answer.text for answer in answers} == {"Le passeport coûte 86 €."}

    asyncio.run(told())
