"""Guessing a password: five attempts, then waits that double, for a name known or not."""

import asyncio

import pytest
from accounts_served import RIGHT, WRONG, Served, run, serving
from sqlalchemy import text

from albert.testing.services import Answered, enrol

pytestmark = pytest.mark.integration


async def camille(served: Served) -> None:
    admin = await enrol(served.database, "chef", admin=True)
    await served.sign_up("camille")
    await served.confirm("camille", key=admin)


async def guess(served: Served, login: str, times: int) -> list[int]:
    return [(await served.sign_in(login, WRONG)).status for _ in range(times)]


async def let_time_pass(served: Served, seconds: int) -> None:
    """Move what is kept of attempts into the past."""
    earlier = text(
        "UPDATE sign_in_attempts SET last_at = last_at - :seconds * interval '1 second',"
        " locked_until = locked_until - :seconds * interval '1 second'"
    )
    async with served.database.session() as session:
        await session.execute(earlier, {"seconds": seconds})


def seconds(answered: Answered) -> int:
    return int(answered.headers["retry-after"])


@pytest.mark.parametrize("login", ["camille", "camille@exemple.fr", "personne"])
def test_after_five_wrong_passwords_even_the_right_one_waits(database_uri: str, login: str) -> None:
    async def story(served: Served) -> tuple[list[int], int, int]:
        await camille(served)
        wrong = await guess(served, login, 5)
        refused = await served.sign_in(login, RIGHT)
        return wrong, refused.status, seconds(refused)

    assert run(database_uri, story) == ([400] * 5, 429, 30)


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        await guess(served, "camille", 5)
        waits = []
        for _ in range(7):
            waits.append(seconds(await served.sign_in("camille", WRONG)))
            await let_time_pass(served, waits[-1])
            await guess(served, "camille", 1)
        return waits

    assert run(database_uri, story) == [30, 60, 120, 240, 480, 900, 900]


def test_once_the_wait_is_over_the_right_password_opens_and_all_is_forgotten(
    database_uri: str,
) -> None:
    async def story(served: Served) -> list[int]:
        await camille(served)
        await guess(served, "camille", 5)
        await let_time_pass(served, 30)
        opened = await served.sign_in("camille", RIGHT)
        return [opened.status, *await guess(served, "camille", 5)]

    assert run(database_uri, story) == [200, 400, 400, 400, 400, 400]


def test_attempts_of_another_day_are_forgotten(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        await guess(served, "camille", 5)
        await let_time_pass(served, 24 * 3600 + 1)
        return await guess(served, "camille", 6)

    assert run(database_uri, story) == [400] * 5 + [429]


def test_another_spelling_of_the_name_is_the_same_name(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        spelled = ["camille", "CAMILLE", " camille ", "ｃａｍｉｌｌｅ", "Camille", "camille"]
        return [(await served.sign_in(login, WRONG)).status for login in spelled]

    assert run(database_uri, story) == [400] * 5 + [429]


def test_other_names_are_not_held_up(database_uri: str) -> None:
    async def story(served: Served) -> int:
        await camille(served)
        await guess(served, "dominique", 6)
        return (await served.sign_in("camille", RIGHT)).status

    assert run(database_uri, story) == 200


def test_guesses_that_come_together_on_two_workers_are_five_in_all(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        async with serving(database_uri) as other:
            both = [one.sign_in("camille", WRONG) for _ in range(10) for one in (served, other)]
            return sorted(answered.status for answered in await asyncio.gather(*both))

    assert run(database_uri, story) == [400] * 5 + [429] * 15
