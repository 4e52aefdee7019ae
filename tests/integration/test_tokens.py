"""API tokens over HTTP: shown once, named, revoked at once on every worker, never logged."""

import asyncio
import logging
import re

import pytest
from accounts_served import Served, run, serving
from aiohttp import ClientSession
from sqlalchemy import select

from albert.api.app import create_app
from albert.api.features.tokens.tables import ApiToken
from albert.api.keys import digest_of
from albert.asgi.run import serve
from albert.testing.services import enrol, scripted, with_database

pytestmark = pytest.mark.integration


async def create(served: Served, key: str, name: str = "poste") -> str:
    answered = await served("POST", "/user/token/new", {"name": name}, key=key)
    assert answered.status == 200
    found = re.fullmatch(r'"(albert-[A-Za-z0-9_-]{43})"', answered.body.decode())
    assert found
    return found[1]


def test_a_token_opens_and_only_its_digest_is_kept(database_uri: str) -> None:
    async def story(served: Served) -> tuple[int, bool, list[object]]:
        first = await enrol(served.database, "camille")
        made = await create(served, first)
        async with served.database.session() as session:
            kept = set(await session.scalars(select(ApiToken.digest)))
        listed = await served("GET", "/user/token", key=made)
        names = re.findall(r'"name":"([^"]+)"', listed.body.decode())
        assert made not in listed.body.decode()
        return listed.status, kept == {digest_of(first), digest_of(made)}, list(names)

    assert run(database_uri, story) == (200, True, ["test", "poste"])


@pytest.mark.parametrize("by", ["token", "name"])
def test_it_is_revoked_at_once_on_every_worker(database_uri: str, by: str) -> None:
    async def story(served: Served) -> list[object]:
        first = await enrol(served.database, "camille")
        made = await create(served, first)
        async with serving(database_uri) as other:
            assert (await other("GET", "/user/me", key=made)).status == 200
            said = made if by == "token" else "poste"
            gone = await served("DELETE", f"/user/token/{said}", key=first)
            await asyncio.sleep(0.5)  # for the notification to cross
            after = [(await one("GET", "/user/me", key=made)).status for one in (served, other)]
        again = await served("DELETE", f"/user/token/{said}", key=first)
        return [gone.json(), *after, again.status]

    assert run(database_uri, story) == [{"name": "poste"}, 401, 401, 404]


def test_a_token_signs_itself_out(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        first = await enrol(served.database, "camille")
        made = await create(served, first)
        left = await served("POST", "/sign_out", key=made)
        await asyncio.sleep(0.5)  # for the notification to cross
        after = [(await served("GET", "/user/me", key=key)).status for key in (made, first)]
        return [left.status, *after]

    assert run(database_uri, story) == [200, 401, 200]


def test_a_name_is_used_once_until_its_token_is_gone(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        first = await enrol(served.database, "camille")
        body = {"name": "poste"}
        made = [await served("POST", "/user/token/new", body, key=first) for _ in range(2)]
        await served("DELETE", "/user/token/poste", key=first)
        again = await served("POST", "/user/token/new", body, key=first)
        return [*(answered.status for answered in made), again.status]

    assert run(database_uri, story) == [200, 400, 200]


def test_another_users_token_is_not_found(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        camille, dominique = [await enrol(served.database, n) for n in ("camille", "dominique")]
        await create(served, camille)
        gone = [
            (await served("DELETE", f"/user/token/{said}", key=dominique)).status
            for said in (camille, "poste")
        ]
        return [*gone, (await served("GET", "/user/me", key=camille)).status]

    assert run(database_uri, story) == [404, 404, 200]


def test_an_account_has_a_hundred_tokens_at_most(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        first = await enrol(served.database, "camille")
        bodies = [{"name": f"t{number}"} for number in range(101)]
        made = [await served("POST", "/user/token/new", body, key=first) for body in bodies]
        return [answered.status for answered in made]

    assert run(database_uri, story) == [200] * 99 + [400] * 2


@pytest.mark.parametrize("name", ["", "a" * 101, "a b", "é", "a\n", None, 3])
def test_a_name_that_cannot_be_is_422(database_uri: str, name: object) -> None:
    async def story(served: Served) -> int:
        first = await enrol(served.database, "camille")
        return (await served("POST", "/user/token/new", {"name": name}, key=first)).status

    assert run(database_uri, story) == 422


@pytest.mark.parametrize("said", ["a\0b", "é", "a" * 5000])
def test_what_cannot_be_a_token_is_not_found(database_uri: str, said: str) -> None:
    async def story(served: Served) -> int:
        first = await enrol(served.database, "camille")
        return (await served("DELETE", f"/user/token/{said}", key=first)).status

    assert run(database_uri, story) == 404


def test_no_log_has_a_token_even_when_the_database_is_gone(
    database_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = "albert-ce-jeton-ne-se-lit-nulle-part"  # noqa: S105 — of this test
    services = with_database(scripted(), database_uri)

    async def story() -> list[int]:
        stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
        running = asyncio.create_task(
            serve(create_app(services), "127.0.0.1", 0, ready.set_result, stop=stop)
        )
        address = await ready
        key = await enrol(services.database, "camille")
        headers = {"authorization": f"Bearer {key}"}
        statuses = []
        async with ClientSession(headers=headers) as client:
            url = f"{address}/api/v2/user/token/{token}"
            for broken in (False, True):
                if broken:
                    async with services.database.engine.begin() as connection:
                        await connection.exec_driver_sql("ALTER TABLE api_tokens RENAME TO gone")
                async with client.delete(url) as answered:
                    statuses.append(answered.status)
        stop.set()
        await running
        return statuses

    with caplog.at_level(logging.DEBUG):
        assert asyncio.run(story()) == [404, 500]
    assert caplog.records
    assert "ne-se-lit-nulle-part" not in caplog.text
    assert digest_of(token) not in caplog.text
