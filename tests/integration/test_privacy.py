"""One's own data: taken away, erased, and not kept longer than said."""

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from people import House, Person, house
from sqlalchemy import Text, cast, func, insert, select, text, update
from typer.testing import CliRunner

from albert.api.features.accounts.tables import Attempts, PasswordReset, SignIn, User
from albert.api.features.feedback.tables import Feedback
from albert.api.features.limits.tables import Limit, LimitCounter
from albert.api.features.ownership.tables import AdminRead
from albert.api.features.privacy.purging import Purged, Purging, purge
from albert.api.features.streams.packing import packed
from albert.api.features.streams.tables import Stream
from albert.api.features.usage.tables import Usage
from albert.api.keys import digest_of
from albert.api.migrations.schema import METADATA
from albert.cli.privacy import app as privacy

pytestmark = pytest.mark.integration

ASKED = "Comment annoncer ma greffe du rein à mon patron ?"


def run(uri: str, story: Callable[[House], Awaitable[None]]) -> None:
    async def told() -> None:
        async with house(uri) as one:
            await story(one)

    asyncio.run(told())


async def live(one: House) -> tuple[int, int]:
    """Have camille ask in a chat and alone, give an opinion, be read; return chat and stream."""
    me = one.camille
    chat = (await me.post("/chat", {"chat_type": "qa"}))["id"]
    stream = (await me.question(ASKED, chat))["id"]
    await me.question(f"{ASKED} Seule.")
    await me.post(f"/feedback/add/{stream}", {"type": "chat", "is_good": True, "message": ASKED})
    await one.admin.get(f"/chat/archive/{chat}")
    async with one.database.session() as session:
        await session.execute(
            update(Stream).values(state="done", response=ASKED, prompt=packed(ASKED))
        )
        await session.execute(
            insert(Attempts).values(digest=digest_of("camille@exemple.fr"), failures=1)
        )
        await session.execute(insert(Limit).values(user_id=1, model=ASKED, streams=3))
        await session.execute(
            insert(LimitCounter).values(
                user_id=1, model=ASKED, kind="streams", starts=func.now(), granted=1, holders={}
            )
        )
        await session.execute(insert(Usage).values(a_row(ASKED)))
    return chat, stream


def a_row(model: str, days: int = 0) -> dict[str, Any]:
    return {
        "id": func.gen_random_uuid(),
        "at": func.now() - func.make_interval(0, 0, 0, days),
        "user_id": 1,
        "model": model,
        "operation": "chat/completions",
        "stream": True,
        "status": 200,
        "latency": 1.5,
        "queued": 0.0,
        "first_token": None,
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "cached_tokens": 0,
        "replica": "",
        "attempts": 1,
        "answered_by": "",
        "cost": 0.25,
    }


async def exported(person: Person) -> Any:  # noqa: ANN401 — JSON
    answered = await person.ask("GET", "/user/me/export")
    assert answered.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answered.body)) as archive:
        assert archive.namelist() == ["albert.json"]
        return orjson.loads(archive.read("albert.json"))


async def places(one: House, *words: str) -> list[str]:
    """Name each column of any table that holds one of the words, or its digest."""
    found = []
    async with one.database.session() as session:
        for table in METADATA.sorted_tables:
            for column in table.columns:
                said = (*words, packed(ASKED).hex())
                held = func.lower(cast(column, Text))
                for word in said:
                    like = select(func.count()).where(held.contains(word.lower(), autoescape=True))
                    if await session.scalar(like.select_from(table)):
                        found.append(str(column))
    return found


def test_an_export_has_all_that_is_kept_of_a_person(database_uri: str) -> None:
    async def story(one: House) -> None:
        chat, stream = await live(one)
        empty = (await one.camille.post("/chat", {"chat_type": "meeting"}))["id"]
        await one.neighbour.question("À moi, pas à elle ?")

        told = await exported(one.camille)

        assert told["account"]["email"] == "camille@exemple.fr"
        assert [token["name"] for token in told["tokens"]] == ["test"]
        assert [one["id"] for one in told["chats"]] == [chat, empty]
        [kept] = told["chats"][0]["streams"]
        assert (kept["id"], kept["query"], kept["prompt"]) == (stream, ASKED, ASKED)
        assert kept["feedback"]["message"] == ASKED
        assert told["chats"][1]["streams"] == []
        assert [one["query"] for one in told["streams"]] == [f"{ASKED} Seule."]
        [read] = told["admin_reads"]
        assert (read["kind"], read["object_id"], "admin_id" in read) == ("chat", chat, False)
        [usage] = told["usage"]
        assert (usage["model"], usage["prompt_tokens"], usage["cost"]) == (ASKED, 12, 0.25)
        assert [limit["streams"] for limit in told["limits"]] == [3]
        assert [counter["granted"] for counter in told["limit_counters"]] == [1]

    run(database_uri, story)


def test_an_export_opens_nothing_and_tells_of_nobody_else(database_uri: str) -> None:
    async def story(one: House) -> None:
        await live(one)
        said = orjson.dumps(await exported(one.camille)).decode()
        for word in ("digest", "password_hash", digest_of(one.camille.token), "chef", "voisine"):
            assert word not in said

    run(database_uri, story)


def test_an_export_has_the_sessions_of_a_person(database_uri: str) -> None:
    async def story(one: House) -> None:
        session_id = UUID("6f1ed002-ab55-4591-8f4c-3b1f7a2d9c10")
        expires = datetime(2026, 1, 2, tzinfo=UTC)
        async with one.database.session() as session:
            opened = insert(SignIn).values(id=session_id, user_id=1, expires_at=expires)
            await session.execute(opened)
        [sign_in] = (await exported(one.camille))["sign_ins"]
        assert (sign_in["id"], sign_in["expires_at"][:10]) == (str(session_id), "2026-01-02")

    run(database_uri, story)


def test_an_export_of_many_questions_is_whole(database_uri: str) -> None:
    async def story(one: House) -> None:
        chats = [(await one.camille.post("/chat", {"chat_type": "qa"}))["id"] for _ in range(3)]
        for number in range(130):
            await one.camille.question(f"{number} ?", chats[number % 3] if number < 120 else 0)
        told = await exported(one.camille)
        assert [len(chat["streams"]) for chat in told["chats"]] == [40, 40, 40]
        assert [one["query"] for one in told["streams"]] == [f"{n} ?" for n in range(120, 130)]

    run(database_uri, story)


def test_erasing_an_account_leaves_nothing_of_it_anywhere(database_uri: str) -> None:
    words = ("camille", "greffe du rein", digest_of("camille@exemple.fr"))

    async def story(one: House) -> None:
        await live(one)
        await one.neighbour.question("Moi, je reste ?")
        assert len(await places(one, *words)) >= 11
        assert await one.camille.delete("/user/me") == {"msg": "Compte effacé."}
        assert await places(one, *words) == []
        await asyncio.sleep(0.5)  # for the notification to come
        assert await one.camille.status("GET", "/chats") == 401
        assert [s["query"] for s in await one.neighbour.get("/streams")] == ["Moi, je reste ?"]

    run(database_uri, story)


def test_the_last_administrator_stays(database_uri: str) -> None:
    async def story(one: House) -> None:
        answered = await one.admin.ask("DELETE", "/user/me")
        assert (answered.status, answered.json()["code"]) == (400, "last_admin")
        async with one.database.session() as session:
            await session.execute(update(User).where(User.id == 2).values(is_admin=True))
        both = await asyncio.gather(
            one.admin.status("DELETE", "/user/me"), one.neighbour.status("DELETE", "/user/me")
        )
        assert sorted(both) == [200, 400]

    run(database_uri, story)


def test_an_admin_who_leaves_leaves_the_record_of_what_they_read(database_uri: str) -> None:
    async def story(one: House) -> None:
        await live(one)
        async with one.database.session() as session:
            await session.execute(update(User).where(User.id == 2).values(is_admin=True))
        await one.admin.delete("/user/me")
        assert len((await exported(one.camille))["admin_reads"]) == 1

    run(database_uri, story)


async def age(one: House, table: str, ids: list[int], days: int) -> None:
    async with one.database.session() as session:
        await session.execute(
            text(
                f"UPDATE {table} SET created_at = created_at - make_interval(days => :days),"  # noqa: S608 — our own names
                " updated_at = updated_at - make_interval(days => :days) WHERE id = ANY(:ids)"
            ),
            {"days": days, "ids": ids},
        )


async def grow_old(one: House) -> tuple[list[int], list[int]]:
    """Make old and recent chats and questions; return the chats and lone questions to stay."""
    me, given = one.camille, {"type": "chat", "is_good": True}
    chats = [(await me.post("/chat", {"chat_type": "qa"}))["id"] for _ in range(5)]
    streams = [(await me.question(chat=chat))["id"] for chat in chats[:4]]
    lone = [(await me.question())["id"] for _ in range(3)]
    for stream in (streams[2], lone[1]):
        await me.post(f"/feedback/add/{stream}", given)
    await age(one, "chats", [*chats[:3], chats[4]], 31)
    await age(one, "streams", [streams[0], streams[2], *lone[:2]], 31)
    async with one.database.session() as session:
        for hours, kind in ((-1, "old"), (1, "new")):
            expires = func.now() + func.make_interval(0, 0, 0, 0, hours)
            await session.execute(
                insert(SignIn).values(id=func.gen_random_uuid(), user_id=1, expires_at=expires)
            )
            await session.execute(
                insert(PasswordReset).values(digest=kind, user_id=1, expires_at=expires)
            )
            last = func.now() - func.make_interval(0, 0, 0, 2 if kind == "old" else 0)
            await session.execute(insert(Attempts).values(digest=kind, failures=1, last_at=last))
            await session.execute(
                insert(Usage).values(a_row("m", days=366 if kind == "old" else 364))
            )
            at = func.now() - func.make_interval(0, 0, 0, 366 if kind == "old" else 364)
            await session.execute(
                insert(AdminRead).values(owner_id=1, kind="chat", object_id=1, at=at)
            )
    return chats[1:4], lone[1:]


PURGED = Purged(
    chats=2, streams=1, sign_ins=1, password_resets=1, sign_in_attempts=1, admin_reads=1, usage=1
)


def test_what_had_no_activity_for_so_long_is_erased_and_nothing_else(database_uri: str) -> None:
    async def story(one: House) -> None:
        chats, lone = await grow_old(one)
        assert await purge(one.database, 30, dry_run=True) == PURGED
        assert await purge(one.database, 32) == Purged(
            sign_ins=1, password_resets=1, sign_in_attempts=1, admin_reads=1, usage=1
        )
        assert await purge(one.database, 30) == Purged(chats=2, streams=1)
        assert await purge(one.database, 30) == Purged()
        assert [chat["id"] for chat in await one.camille.get("/chats")] == chats
        left = await one.camille.get("/streams")
        assert [stream["id"] for stream in left if stream["chat_id"] is None] == lone
        async with one.database.session() as session:
            assert await session.scalar(select(func.count()).select_from(Feedback)) == 2

    run(database_uri, story)


def test_the_service_purges_by_itself_one_worker_at_a_time(database_uri: str) -> None:
    async def story(one: House) -> None:
        await grow_old(one)
        workers = [Purging(one.database, 30, first=0, every=0.05) for _ in range(3)]
        for worker in workers:
            worker.start()
        while await purge(one.database, 30, dry_run=True):  # noqa: ASYNC110 — nothing tells
            await asyncio.sleep(0.02)
        for worker in workers:
            await worker.stop()

    run(database_uri, story)


def test_the_command_counts_then_erases(
    database_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run(database_uri, grow_then_nothing)
    environment = {
        "ALBERT_HOME": str(tmp_path_factory.mktemp("home")),
        "POSTGRES_URI": database_uri,
    }
    runner = CliRunner(env=environment)

    counted = runner.invoke(privacy, ["purge", "--dry-run", "--days", "30", "--json"])
    assert orjson.loads(counted.stdout)["chats"] == 2
    assert orjson.loads(counted.stdout)["dry_run"] is True
    said = runner.invoke(privacy, ["purge", "--days", "30"]).stdout
    assert "conversations : 2" in said
    assert "questions hors conversation : 1" in said
    again = runner.invoke(privacy, ["purge", "--days", "30", "--json"])
    assert orjson.loads(again.stdout)["chats"] == 0


async def grow_then_nothing(one: House) -> None:
    await grow_old(one)
