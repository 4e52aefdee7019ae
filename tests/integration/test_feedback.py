"""Opinions on answers."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from people import House, house

pytestmark = pytest.mark.integration


def run(uri: str, story: Callable[[House], Awaitable[None]]) -> None:
    async def told() -> None:
        async with house(uri) as one:
            await story(one)

    asyncio.run(told())


def test_an_opinion_takes_the_place_of_the_one_before(database_uri: str) -> None:
    async def story(one: House) -> None:
        me = one.camille
        stream = (await me.question())["id"]
        first = await me.post(
            f"/feedback/add/{stream}", {"type": "chat", "is_good": True, "message": "Merci"}
        )
        assert (first["is_good"], first["message"], first["note"]) == (True, "Merci", None)
        second = await me.post(
            f"/feedback/add/{stream}",
            {"type": "evaluations", "note": 0, "negatives": ["trop_long"]},
        )
        assert second == {
            "id": first["id"],
            "created_at": first["created_at"],
            "updated_at": second["updated_at"],
            "user_id": 1,
            "stream_id": stream,
            "type": "evaluations",
            "is_good": None,
            "note": 0,
            "positives": [],
            "negatives": ["trop_long"],
            "message": None,
        }
        assert second["updated_at"] > first["updated_at"]
        assert await me.get("/feedbacks") == [second]
        assert (await me.get(f"/stream/{stream}"))["feedback"] == second

    run(database_uri, story)


def test_opinions_are_listed_by_pages_and_erased(database_uri: str) -> None:
    async def story(one: House) -> None:
        me, given = one.camille, {"type": "chat", "is_good": True}
        made = []
        for _ in range(3):
            stream = (await me.question())["id"]
            made.append(await me.post(f"/feedback/add/{stream}", given))
        assert await me.get("/feedbacks?skip=1&limit=1") == [made[1]]
        assert await me.delete(f"/feedback/delete/{made[1]['id']}") == made[1]
        assert await me.get("/feedbacks") == [made[0], made[2]]
        assert (await me.get(f"/stream/{made[1]['stream_id']}"))["feedback"] is None

    run(database_uri, story)


@pytest.mark.parametrize(
    "given",
    [
        {"is_good": True},
        {"type": "autre", "is_good": True},
        {"type": "chat"},
        {"type": "chat", "is_good": None},
        {"type": "chat", "is_good": "peut-être"},
        {"type": "evaluations", "positives": ["clair"]},
        {"type": "evaluations", "note": 3},
        {"type": "evaluations", "note": 3, "positives": [], "negatives": []},
        {"type": "evaluations", "note": 6, "positives": ["clair"]},
        {"type": "evaluations", "note": -1, "positives": ["clair"]},
        {"type": "evaluations", "note": True, "positives": ["clair"]},
        {"type": "evaluations", "note": 3, "positives": ["trop_long"]},
        {"type": "evaluations", "note": 3, "negatives": ["clair"]},
        {"type": "chat", "is_good": True, "message": "a\0b"},
    ],
)
def test_an_opinion_of_the_wrong_form_is_422(database_uri: str, given: dict[str, object]) -> None:
    async def story(one: House) -> None:
        stream = (await one.camille.question())["id"]
        assert await one.camille.status("POST", f"/feedback/add/{stream}", given) == 422

    run(database_uri, story)


def test_only_who_asked_gives_reads_and_erases_an_opinion(database_uri: str) -> None:
    async def story(one: House) -> None:
        given = {"type": "chat", "is_good": True}
        stream = (await one.camille.question())["id"]
        other = one.neighbour
        assert await other.status("POST", f"/feedback/add/{stream}", given) == 403
        feedback = (await one.camille.post(f"/feedback/add/{stream}", given))["id"]
        assert await other.status("GET", f"/feedback/{feedback}") == 403
        assert await other.status("DELETE", f"/feedback/delete/{feedback}") == 403
        assert await other.get("/feedbacks") == []
        for method, path, body in (
            ("POST", "/feedback/add/99", given),
            ("GET", "/feedback/99", None),
            ("DELETE", "/feedback/delete/99", None),
        ):
            assert await one.camille.status(method, path, body) == 404
        assert (await one.camille.get(f"/feedback/{feedback}"))["stream_id"] == stream

    run(database_uri, story)
