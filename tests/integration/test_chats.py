"""Conversations: their contract, and whose they are."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from people import House, house
from sqlalchemy import select

from albert.api.features.ownership.tables import AdminRead

pytestmark = pytest.mark.integration


def run(uri: str, story: Callable[[House], Awaitable[None]], **said: object) -> None:
    async def told() -> None:
        async with house(uri, **said) as one:
            await story(one)

    asyncio.run(told())


async def reads(one: House) -> list[tuple[str, int, int]]:
    async with one.database.session() as session:
        rows = await session.execute(
            select(AdminRead.kind, AdminRead.object_id, AdminRead.owner_id).order_by(AdminRead.id)
        )
        return [(kind, object_id, owner) for kind, object_id, owner in rows]


def test_a_chat_is_opened_named_read_and_erased(database_uri: str) -> None:
    async def story(one: House) -> None:
        me = one.camille
        chat = await me.post("/chat", {"chat_type": "qa", "operators": ["CAF"], "themes": ["RSA"]})
        assert chat == {
            "id": chat["id"],
            "created_at": chat["created_at"],
            "updated_at": chat["updated_at"],
            "user_id": 1,
            "chat_name": None,
            "chat_type": "qa",
            "operators": ["CAF"],
            "themes": ["RSA"],
            "stream_count": 0,
        }
        address = f"/chat/{chat['id']}"
        named = await me.post(address, {"chat_name": "  Mon RSA ", "autre": 1})
        assert (named["chat_name"], named["chat_type"]) == ("Mon RSA", "qa")
        assert named["updated_at"] > chat["updated_at"]
        typed = await me.post(address, {"chat_type": "meeting"})
        assert (typed["chat_name"], typed["chat_type"]) == ("Mon RSA", "meeting")
        assert await me.get(address) == typed
        assert await me.delete(f"/chat/delete/{chat['id']}") == typed
        assert await me.status("GET", address) == 404

    run(database_uri, story)


def test_chats_are_listed_in_order_by_pages(database_uri: str) -> None:
    async def story(one: House) -> None:
        made = [(await one.camille.post("/chat", {"chat_type": "qa"}))["id"] for _ in range(3)]
        await one.neighbour.post("/chat", {"chat_type": "qa"})
        await one.camille.question(chat=made[1])

        async def ids(query: str) -> list[int]:
            return [chat["id"] for chat in await one.camille.get(f"/chats{query}")]

        assert await ids("") == made
        assert await ids("?desc=true&limit=2") == [made[2], made[1]]
        assert await ids("?skip=1&limit=1") == [made[1]]
        counts = [chat["stream_count"] for chat in await one.camille.get("/chats")]
        assert counts == [0, 1, 0]

    run(database_uri, story)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "skip=-1", "skip=9223372036854775808", "desc=peut-être"]
)
def test_a_page_that_cannot_be_is_422(database_uri: str, query: str) -> None:
    async def story(one: House) -> None:
        for path in ("/chats", "/streams"):
            assert await one.camille.status("GET", f"{path}?{query}") == 422

    run(database_uri, story)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"chat_type": "tchat"},
        {"chat_type": "qa", "operators": "CAF"},
        {"chat_type": "qa", "themes": ["\0"]},
        b'{"chat_type": "qa", "themes": ["\\ud800"]}',
        {"chat_type": "qa", "themes": ["x" * 201]},
    ],
)
def test_a_chat_of_the_wrong_form_is_422(database_uri: str, body: object) -> None:
    async def story(one: House) -> None:
        assert await one.camille.status("POST", "/chat", body) == 422

    run(database_uri, story)


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, 3, "a\0b"])
def test_a_name_of_the_wrong_form_is_422(database_uri: str, name: object) -> None:
    async def story(one: House) -> None:
        chat = await one.camille.post("/chat", {"chat_type": "qa"})
        path = f"/chat/{chat['id']}"
        assert await one.camille.status("POST", path, {"chat_name": name}) == 422

    run(database_uri, story)


def test_an_archive_has_the_questions_in_order_with_their_opinions(database_uri: str) -> None:
    async def story(one: House) -> None:
        me = one.camille
        chat = (await me.post("/chat", {"chat_type": "qa"}))["id"]
        first = await me.question("Première ?", chat)
        second = await me.question("Seconde ?", chat)
        await me.question("Ailleurs ?")
        opinion = await me.post(f"/feedback/add/{second['id']}", {"type": "chat", "is_good": True})

        archive = await me.get(f"/chat/archive/{chat}")

        assert archive["streams"] == [first, {**second, "feedback": opinion}]
        assert {**archive, "streams": 0} == {**await me.get(f"/chat/{chat}"), "streams": 0}
        assert archive["stream_count"] == 2

    run(database_uri, story)


def test_somebody_elses_chat_is_403_and_one_that_is_not_404(database_uri: str) -> None:
    async def story(one: House) -> None:
        chat = (await one.camille.post("/chat", {"chat_type": "qa"}))["id"]
        question = {"model_name": "albert-extractif", "query": "Et moi ?"}
        calls: list[tuple[str, str, object]] = [
            ("GET", "/chat/{}", None),
            ("GET", "/chat/archive/{}", None),
            ("GET", "/streams?chat_id={}", None),
            ("POST", "/chat/{}", {"chat_name": "à moi"}),
            ("POST", "/stream/chat/{}", question),
            ("DELETE", "/chat/delete/{}", None),
        ]
        for method, path, body in calls:
            assert await one.neighbour.status(method, path.format(chat), body) == 403
            assert await one.neighbour.status(method, path.format(10**15), body) == 404
            assert await one.neighbour.status(method, path.format(1 << 63), body) == 422
        assert await reads(one) == []

    run(database_uri, story)


def test_admins_read_all_which_is_recorded_and_change_nothing(database_uri: str) -> None:
    async def story(one: House) -> None:
        chat = (await one.camille.post("/chat", {"chat_type": "qa"}))["id"]
        stream = (await one.camille.question(chat=chat))["id"]
        given = {"type": "chat", "is_good": False}
        feedback = (await one.camille.post(f"/feedback/add/{stream}", given))["id"]
        for path in ("/chat/{chat}", "/chat/archive/{chat}", "/streams?chat_id={chat}"):
            await one.admin.get(path.format(chat=chat))
        await one.admin.get(f"/stream/{stream}")
        await one.admin.get(f"/feedback/{feedback}")
        assert await reads(one) == [
            ("chat", chat, 1),
            ("chat", chat, 1),
            ("chat", chat, 1),
            ("stream", stream, 1),
            ("feedback", feedback, 1),
        ]
        changes: list[tuple[str, str, object]] = [
            ("POST", f"/chat/{chat}", {"chat_name": "à moi"}),
            ("POST", f"/stream/chat/{chat}", {"model_name": "albert-extractif"}),
            ("POST", f"/feedback/add/{stream}", given),
            ("DELETE", f"/feedback/delete/{feedback}", None),
            ("DELETE", f"/chat/delete/{chat}", None),
        ]
        for method, path, body in changes:
            assert await one.admin.status(method, path, body) == 403
        assert len(await reads(one)) == 5

    run(database_uri, story)


def test_what_one_reads_oneself_is_not_recorded(database_uri: str) -> None:
    async def story(one: House) -> None:
        chat = (await one.admin.post("/chat", {"chat_type": "qa"}))["id"]
        await one.admin.get(f"/chat/archive/{chat}")
        assert await reads(one) == []

    run(database_uri, story)


class TestTitle:
    QUESTION = "Bonjour, j'ai perdu mon passeport, que dois-je faire maintenant ?"
    OWN = "J'ai perdu mon passeport, que dois-je faire maintenant…"

    def test_the_first_question_names_the_chat(self, database_uri: str) -> None:
        async def story(one: House) -> None:
            chat = (await one.camille.post("/chat", {"chat_type": "qa"}))["id"]
            await one.camille.question("", chat)
            assert (await one.camille.get(f"/chat/{chat}"))["chat_name"] is None
            await one.camille.question(self.QUESTION, chat)
            await one.camille.question("Et ma carte d'identité ?", chat)
            assert (await one.camille.get(f"/chat/{chat}"))["chat_name"] == self.OWN

        run(database_uri, story)

    def test_a_model_finds_a_better_name_in_the_background(self, database_uri: str) -> None:
        asked: list[str] = []

        async def titler(question: str) -> str:
            asked.append(question)
            return "Passeport perdu"

        async def story(one: House) -> None:
            chat = (await one.camille.post("/chat", {"chat_type": "qa"}))["id"]
            await one.camille.question(self.QUESTION, chat)
            await one.camille.question("Et ma carte ?", chat)
            await one.settle()
            assert (await one.camille.get(f"/chat/{chat}"))["chat_name"] == "Passeport perdu"
            assert asked == [self.QUESTION]

        run(database_uri, story, titler=titler)

    def test_it_does_not_take_the_place_of_a_name_given_meanwhile(self, database_uri: str) -> None:
        renamed = asyncio.Event()

        async def titler(_question: str) -> str:
            await renamed.wait()
            return "Passeport perdu"

        async def story(one: House) -> None:
            chat = (await one.camille.post("/chat", {"chat_type": "qa"}))["id"]
            await one.camille.question(self.QUESTION, chat)
            assert (await one.camille.get(f"/chat/{chat}"))["chat_name"] == self.OWN
            await one.camille.post(f"/chat/{chat}", {"chat_name": "Le mien"})
            renamed.set()
            await one.settle()
            assert (await one.camille.get(f"/chat/{chat}"))["chat_name"] == "Le mien"

        run(database_uri, story, titler=titler)

    def test_a_title_that_never_comes_does_not_keep_the_service_from_stopping(
        self, database_uri: str
    ) -> None:
        async def titler(_question: str) -> str:
            return await asyncio.Future()

        async def story(one: House) -> None:
            chat = (await one.camille.post("/chat", {"chat_type": "qa"}))["id"]
            await one.camille.question(self.QUESTION, chat)

        run(database_uri, story, titler=titler)
