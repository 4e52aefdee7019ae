"""A forgotten password: the same answer for everybody, a link that is good once."""

import asyncio
import logging
import re

import pytest
from accounts_served import RIGHT, WRONG, Served, run
from sqlalchemy import func, select, update

from albert.api.features.accounts.tables import PasswordReset
from albert.domain.errors import MailNotSent
from albert.testing.queries import queries
from albert.testing.services import enrol

pytestmark = pytest.mark.integration

NEW = "Autre-mot-2-passe"


async def camille(served: Served) -> None:
    admin = await enrol(served.database, "chef", admin=True)
    await served.sign_up("camille")
    await served.confirm("camille", key=admin)
    await served.mails()
    served.outbox.sent.clear()


async def ask_link(served: Served, email: str = "camille@exemple.fr") -> str:
    """Ask for a link, and return the token that it bears."""
    await served("POST", "/send_reset_password_email", {"email": email})
    [mail] = await served.mails()
    served.outbox.sent.clear()
    [token] = re.findall(r"/reset-password\?token=(\S+)", mail.text)
    return str(token)


async def choose(served: Served, token: str, password: str = NEW) -> int:
    return (await served("POST", "/reset_password", {"token": token, "password": password})).status


def test_the_link_gives_another_password_and_ends_every_session(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        await camille(served)
        before = await served.token("camille")
        assert (await served("GET", "/user/me", key=before)).status == 200
        changed = await choose(served, await ask_link(served))
        await asyncio.sleep(0.5)  # for the notification to cross
        return [
            changed,
            (await served("GET", "/user/me", key=before)).status,
            (await served.sign_in("camille", RIGHT)).status,
            (await served.sign_in("camille", NEW)).status,
        ]

    assert run(database_uri, story) == [200, 401, 400, 200]


def test_a_link_is_good_once(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        await camille(served)
        token = await ask_link(served)
        return sorted(await asyncio.gather(*(choose(served, token) for _ in range(4))))

    assert run(database_uri, story) == [200, 400, 400, 400]


def test_a_link_older_than_an_hour_or_unknown_is_refused(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        await camille(served)
        token = await ask_link(served)
        async with served.database.session() as session:
            await session.execute(update(PasswordReset).values(expires_at=func.now()))
        return [await choose(served, token), await choose(served, "inconnu")]

    assert run(database_uri, story) == [400, 400]


def test_a_password_of_the_wrong_form_leaves_the_link_good(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        await camille(served)
        token = await ask_link(served)
        return [await choose(served, token, "court"), await choose(served, token)]

    assert run(database_uri, story) == [422, 200]


def test_using_one_link_kills_the_others_and_lifts_the_wait(database_uri: str) -> None:
    async def story(served: Served) -> list[int]:
        await camille(served)
        first, second = await ask_link(served), await ask_link(served)
        for _ in range(5):
            await served.sign_in("camille", WRONG)
        return [
            await choose(served, first),
            await choose(served, second),
            (await served.sign_in("camille", NEW)).status,
        ]

    assert run(database_uri, story) == [200, 400, 200]


def test_the_answer_waits_for_nothing_and_does_not_say_who_is_known(database_uri: str) -> None:
    async def story(served: Served) -> set[tuple[int, bytes, int]]:
        await camille(served)
        said = set()
        for email in ("camille@exemple.fr", "personne@exemple.fr"):
            with queries(served.database) as sent:
                answered = await served("POST", "/send_reset_password_email", {"email": email})
                said.add((answered.status, answered.body, len(sent)))
        assert [mail.to for mail in await served.mails()] == ["camille@exemple.fr"]
        return said

    [(status, _, statements)] = run(database_uri, story)
    assert (status, statements) == (200, 0)


def test_nobody_fills_anothers_letter_box(database_uri: str) -> None:
    async def story(served: Served) -> int:
        await camille(served)
        for _ in range(9):
            await served("POST", "/send_reset_password_email", {"email": "camille@exemple.fr"})
        return len(await served.mails())

    assert run(database_uri, story) == 3


def test_only_a_digest_of_the_link_is_kept(database_uri: str) -> None:
    async def story(served: Served) -> tuple[str, str | None]:
        await camille(served)
        token = await ask_link(served)
        async with served.database.session() as session:
            return token, await session.scalar(select(PasswordReset.digest))

    token, kept = run(database_uri, story)
    assert kept is not None
    assert token not in kept


def test_a_mail_that_does_not_leave_is_logged_without_its_address(
    database_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def send(self, mail: object) -> None:
            raise MailNotSent

    async def story(served: Served) -> int:
        await camille(served)
        caplog.clear()
        body = {"email": "camille@exemple.fr"}
        answered = await served("POST", "/send_reset_password_email", body)
        await served.services.background.wait()
        return answered.status

    with caplog.at_level(logging.WARNING):
        assert run(database_uri, story, mailer=Broken()) == 200
    assert [record.getMessage() for record in caplog.records] == [str(MailNotSent())]
