"""Questions and answers as they are kept and read; how answers are written is elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from people import House, house
from sqlalchemy import event, insert, update

from albert.api.database.engine import Database
from albert.api.features.streams.history import earlier_turns
from albert.api.features.streams.packing import packed, unpacked
from albert.api.features.streams.tables import Piece, Stream
from albert.domain.conversation import Message

pytestmark = pytest.mark.integration

ASKED = {"model_name": "albert-extractif", "query": "Combien coûte un passeport ?"}


def run(uri: str, story: Callable[[House], Awaitable[None]]) -> None:
    async def told() -> None:
        async with house(uri) as one:
            await story(one)

    asyncio.run(told())


async def put(one: House, stream_id: int, **values: object) -> None:
    """Write what the generation of an answer would."""
    async with one.database.session() as session:
        await session.execute(update(Stream).where(Stream.id == stream_id).values(**values))


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the queries that are sent meanwhile, but those of the connection's own life."""
    sent: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


def test_a_question_alone_is_kept_with_the_defaults(database_uri: str) -> None:
    async def story(one: House) -> None:
        stream = await one.camille.post("/stream", {**ASKED, "inconnu": True})
        assert datetime.fromisoformat(stream["created_at"]).tzinfo is not None
        expected = {
            "user_id": 1,
            "chat_id": None,
            **ASKED,
            "mode": None,
            "limit": None,
            "with_history": None,
            "context": "",
            "institution": "",
            "links": "",
            "temperature": 0.2,
            "sources": None,
            "should_sids": None,
            "must_not_sids": None,
            "postprocessing": None,
            "is_streaming": False,
            "prompt": None,
            "response": None,
            "search_sids": None,
            "rag_sources": None,
            "feedback": None,
            "state": "waiting",
            "usage": None,
            "finish": None,
        }
        dated = {"id", "created_at", "updated_at"}
        assert {name: stream[name] for name in stream if name not in dated} == expected
        assert await one.camille.get(f"/stream/{stream['id']}") == stream

    run(database_uri, story)


def test_everything_that_was_asked_is_kept(database_uri: str) -> None:
    asked = {
        **ASKED,
        "mode": "rag",
        "limit": 7,
        "with_history": True,
        "context": "Contexte\nsur deux lignes",
        "institution": "Mairie",
        "links": "https://www.service-public.fr",
        "temperature": 2,
        "sources": ["service-public", "travail-emploi"],
        "should_sids": ["F1"],
        "must_not_sids": [],
        "postprocessing": ["check_url", "check_mail", "check_number"],
    }

    async def story(one: House) -> None:
        stream = await one.camille.post("/stream", asked)
        assert {name: stream[name] for name in asked} == asked

    run(database_uri, story)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model_name": None},
        {"query": "x" * 8001},
        {"query": "a\0b"},
        {"query": ["?"]},
        {"context": "x" * 100_001},
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": "chaud"},
        {"limit": 0},
        {"limit": 51},
        {"sources": ["experiences"]},
        {"sources": "service-public"},
        {"should_sids": [1]},
        {"must_not_sids": ["\0"]},
        {"postprocessing": ["check_all"]},
        {"with_history": "peut-être"},
    ],
)
def test_a_question_of_the_wrong_form_is_422(database_uri: str, wrong: dict[str, object]) -> None:
    async def story(one: House) -> None:
        assert await one.camille.status("POST", "/stream", {**ASKED, **wrong}) == 422

    run(database_uri, story)


@pytest.mark.parametrize("value", [b'"\\ud800"', b"NaN", b"{", b""])
def test_a_body_that_cannot_be_told_again_is_422_all_the_same(
    database_uri: str, value: bytes
) -> None:
    async def story(one: House) -> None:
        body = b'{"model_name": "albert-extractif", "query": ' + value + b"}"
        answered = await one.camille.ask("POST", "/stream", body)
        assert answered.status == 422
        assert b'"input"' not in answered.body

    run(database_uri, story)


def test_a_model_that_is_not_served_is_404_with_those_that_are(database_uri: str) -> None:
    async def story(one: House) -> None:
        answered = await one.camille.ask("POST", "/stream", {"model_name": "gpt"})
        assert answered.status == 404
        assert answered.json() == {
            "detail": "Le modèle 'gpt' n'existe pas ici. Modèles connus : albert-extractif.",
            "code": "model_not_found",
        }

    run(database_uri, story)


def test_while_an_answer_is_written_its_pieces_are_the_response(database_uri: str) -> None:
    async def story(one: House) -> None:
        stream = (await one.camille.question())["id"]
        await put(one, stream, state="running", worker=1)
        assert (await one.camille.get(f"/stream/{stream}"))["response"] == ""
        async with one.database.session() as session:
            pieces = [(9, "coûte "), (0, "Le "), (3, "passe"), (8, "port")]
            await session.execute(
                insert(Piece),
                [{"stream_id": stream, "position": at, "text": text} for at, text in pieces],
            )
        read = await one.camille.get(f"/stream/{stream}")
        assert (read["is_streaming"], read["state"]) == (True, "running")
        assert read["response"] == "Le passeportcoûte "

    run(database_uri, story)


def test_an_answer_is_read_with_its_prompt_sources_and_usage(database_uri: str) -> None:
    async def story(one: House) -> None:
        stream = (await one.camille.question())["id"]
        await put(
            one,
            stream,
            state="done",
            prompt=packed("Voici les extraits : é"),
            response="86 €.",
            search_sids=["F14929"],
            rag_sources=["abc"],
            finish={"sources": []},
            prompt_tokens=12,
            completion_tokens=3,
        )
        read = await one.camille.get(f"/stream/{stream}")
        assert unpacked(bytes.fromhex(read["prompt"])) == "Voici les extraits : é"
        assert bytes.fromhex(read["prompt"])[:4] == b"\x04\x22\x4d\x18"  # LZ4 frame's magic number
        assert (read["response"], read["is_streaming"]) == ("86 €.", False)
        assert (read["search_sids"], read["rag_sources"]) == (["F14929"], ["abc"])
        assert read["usage"] == {"prompt_tokens": 12, "completion_tokens": 3}
        assert read["finish"] == {"sources": []}

    run(database_uri, story)


def test_questions_are_listed_by_pages_or_by_chat(database_uri: str) -> None:
    async def story(one: House) -> None:
        me = one.camille
        chat = (await me.post("/chat", {"chat_type": "qa"}))["id"]
        alone = (await me.question())["id"]
        first, second = [(await me.question(chat=chat))["id"] for _ in range(2)]
        await one.neighbour.question()

        async def ids(query: str) -> list[int]:
            return [stream["id"] for stream in await me.get(f"/streams{query}")]

        assert await ids("") == [alone, first, second]
        assert await ids("?desc=true&limit=1") == [second]
        assert await ids("?skip=1&limit=1") == [first]
        assert await ids(f"?chat_id={chat}") == [first, second]
        assert await ids(f"?chat_id={chat}&desc=true&skip=1") == [first]

    run(database_uri, story)


def test_somebody_elses_question_is_403_and_one_that_is_not_404(database_uri: str) -> None:
    async def story(one: House) -> None:
        stream = (await one.camille.question())["id"]
        assert await one.neighbour.status("GET", f"/stream/{stream}") == 403
        assert await one.camille.status("GET", f"/stream/{stream + 1}") == 404

    run(database_uri, story)


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/chats", 1),
        ("/streams", 1),
        ("/streams?chat_id=1", 2),
        ("/feedbacks", 1),
        ("/chat/archive/1", 2),
    ],
)
def test_a_list_takes_as_many_queries_however_long_it_is(
    database_uri: str, path: str, queries: int
) -> None:
    async def story(one: House) -> None:
        me, stream = one.camille, 0
        for _ in range(5):
            chat = (await me.post("/chat", {"chat_type": "qa"}))["id"]
            for _ in range(2):
                stream = (await me.question(chat=1))["id"]
                await me.question(chat=chat)
                await me.post(f"/feedback/add/{stream}", {"type": "chat", "is_good": True})
        await put(one, stream, state="running")
        with statements(one.database) as sent:
            await me.get(path)
        assert len(sent) == queries, sent

    run(database_uri, story)


def test_earlier_turns_are_the_last_ones_answered_oldest_first(database_uri: str) -> None:
    async def story(one: House) -> None:
        chat = (await one.camille.post("/chat", {"chat_type": "qa"}))["id"]
        ends: list[tuple[str, str | None]] = [
            ("done", "un"),
            ("failed", "deux"),
            ("interrupted", "trois"),
            ("interrupted", ""),
            ("running", None),
            ("done", "six"),
            ("waiting", None),
        ]
        ids = []
        for number, (state, response) in enumerate(ends, 1):
            ids.append((await one.camille.question(f"{number} ?", chat))["id"])
            await put(one, ids[-1], state=state, response=response)
        async with one.database.session() as session:
            turns = await earlier_turns(session, chat, ids[-1], most=2)
            before_six = await earlier_turns(session, chat, ids[5])
        assert turns == (
            Message("user", "3 ?"),
            Message("assistant", "trois"),
            Message("user", "6 ?"),
            Message("assistant", "six"),
        )
        assert [turn.content for turn in before_six] == ["1 ?", "un", "3 ?", "trois"]

    run(database_uri, story)
