"""Accounts over HTTP: asking for one, being accepted, signing in and out."""

import asyncio

import pytest
from accounts_served import RIGHT, WRONG, Served, run, serving
from sqlalchemy import select

from albert.api.features.accounts import service
from albert.api.features.accounts.repository import NewAccount
from albert.api.features.accounts.tables import User
from albert.domain.errors import MailNotSent, OrganizationUnknown
from albert.testing.queries import queries
from albert.testing.services import enrol

pytestmark = pytest.mark.integration

FORM = {"username": "camille", "email": "camille@exemple.fr", "password": RIGHT}


class TestSigningUp:
    def test_an_account_waits_then_is_accepted_then_signs_in(self, database_uri: str) -> None:
        async def story(served: Served) -> list[object]:
            admin = await enrol(served.database, "chef", admin=True)
            asked = await served.sign_up("camille")
            early = await served.sign_in("camille")
            waiting = await served("GET", "/users/pending", key=admin)
            accepted = await served.confirm("camille", key=admin)
            token = await served.token("camille")
            me = await served("GET", "/user/me", key=token)
            assert (
                waiting.body
                == b"[" + me.body.replace(b'"is_confirmed":true', b'"is_confirmed":null') + b"]"
            )
            assert me.json() == {
                "id": 2,
                "username": "camille",
                "email": "camille@exemple.fr",
                "is_confirmed": True,
                "is_admin": False,
                "organization_id": None,
                "organization_name": None,
                "accept_cookie": False,
                "accept_retrain": False,
            }
            return [asked.status, early.status, accepted.status]

        assert run(database_uri, story) == [200, 400, 200]

    def test_a_name_or_an_address_is_taken_whatever_its_case(self, database_uri: str) -> None:
        async def story(served: Served) -> list[tuple[int, object]]:
            await served.sign_up("camille")
            again = [
                {**FORM, "username": "CAMILLE", "email": "autre@exemple.fr"},
                {**FORM, "username": "autre", "email": "Camille@EXEMPLE.fr"},
                {**FORM, "username": "ｃａｍｉｌｌｅ", "email": "autre@exemple.fr"},
            ]
            found = [await served("POST", "/user/me", body) for body in again]
            return [(answered.status, answered.json()["code"]) for answered in found]

        assert run(database_uri, story) == [(400, "account_taken")] * 3

    def test_of_those_who_ask_for_one_name_together_one_has_it(self, database_uri: str) -> None:
        async def story(served: Served) -> list[int]:
            asked = await asyncio.gather(*(served.sign_up("camille") for _ in range(8)))
            return sorted(answered.status for answered in asked)

        assert run(database_uri, story) == [200] + [400] * 7

    @pytest.mark.parametrize(
        "wrong",
        [
            {"username": ""},
            {"username": "a" * 65},
            {"username": "a@b"},
            {"username": "a\0b"},
            {"username": "a\u202eb"},
            {"email": "camille"},
            {"email": "camille@exemple"},
            {"email": "a b@exemple.fr"},
            {"email": "camille@exemple.fr\nBcc: x@exemple.fr"},
            {"email": "camille@-exemple.fr"},
            {"password": "court"},
            {"password": "a" * 129},
            {"password": "espace interdit"},
            {"password": None},
            {"organization_id": "1"},
            {"organization_name": "Maison"},
            {"organization_id": "1", "organization_name": "Nulle part"},
            {"is_admin": True},
        ],
    )
    def test_a_form_that_cannot_be_is_422(
        self, database_uri: str, wrong: dict[str, object]
    ) -> None:
        async def story(served: Served) -> int:
            return (await served("POST", "/user/me", {**FORM, **wrong})).status

        assert run(database_uri, story) == 422

    def test_what_was_wrong_is_told_without_the_password(self, database_uri: str) -> None:
        async def story(served: Served) -> bytes:
            body = {"username": "camille", "password": RIGHT}
            return (await served("POST", "/user/me", body)).body

        said = run(database_uri, story)
        assert b"email" in said
        assert RIGHT.encode() not in said

    def test_a_text_that_is_not_unicode_is_422(self, database_uri: str) -> None:
        async def story(served: Served) -> int:
            body = b'{"username": "\\ud800", "\\udfff": "", "password": "a"}'
            return (await served("POST", "/user/me", body)).status

        assert run(database_uri, story) == 422

    def test_an_organization_of_the_directory_is_kept(self, database_uri: str) -> None:
        asked = NewAccount(
            username="camille",
            email="camille@exemple.fr",
            password_hash=None,
            organization_id="42",
            organization_name="Maison de Rodez",
        )

        async def knows(identifier: str, name: str) -> bool:
            return (identifier, name) == ("42", "Maison de Rodez")

        async def nothing(_identifier: str, _name: str) -> bool:
            return False

        async def story(served: Served) -> str | None:
            with pytest.raises(OrganizationUnknown):
                await service.sign_up(served.database, asked, RIGHT, nothing)
            await service.sign_up(served.database, asked, RIGHT, knows)
            async with served.database.session() as session:
                return await session.scalar(select(User.organization_name))

        assert run(database_uri, story) == "Maison de Rodez"

    def test_only_a_slow_hash_of_the_password_is_kept(self, database_uri: str) -> None:
        async def story(served: Served) -> str | None:
            await served.sign_up("camille")
            async with served.database.session() as session:
                return await session.scalar(select(User.password_hash))

        assert (run(database_uri, story) or "").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


class TestDeciding:
    def test_a_decision_is_taken_once(self, database_uri: str) -> None:
        async def story(served: Served) -> list[tuple[int, object]]:
            admin = await enrol(served.database, "chef", admin=True)
            await served.sign_up("camille")
            await served.confirm("camille", key=admin, accepted=False)
            tried = [
                await served.confirm("camille", key=admin),
                await served.confirm("personne", key=admin),
            ]
            return [(answered.status, answered.json()["code"]) for answered in tried]

        assert run(database_uri, story) == [(400, "account_decided"), (404, "account_not_found")]

    def test_the_user_is_told_by_mail(self, database_uri: str) -> None:
        async def story(served: Served) -> list[tuple[str, str]]:
            admin = await enrol(served.database, "chef", admin=True)
            for name, accepted in (("camille", True), ("dominique", False)):
                await served.sign_up(name)
                await served.confirm(name, key=admin, accepted=accepted)
            return [(mail.to, mail.subject) for mail in await served.mails()]

        assert run(database_uri, story) == [
            ("camille@exemple.fr", "Votre compte Albert est ouvert"),
            ("dominique@exemple.fr", "Votre demande de compte Albert"),
        ]

    def test_a_list_of_twenty_costs_the_statements_of_a_list_of_one(
        self, database_uri: str
    ) -> None:
        async def story(served: Served) -> list[int]:
            admin = await enrol(served.database, "chef", admin=True)
            await served("GET", "/users/pending", key=admin)
            counts: list[int] = []
            for number in (1, 19):
                for _ in range(number):
                    await enrol(served.database, f"u{len(counts)}-{_}", confirmed=None)
                with queries(served.database) as sent:
                    await served("GET", "/users/pending", key=admin)
                counts.append(len(sent))
            return counts

        assert run(database_uri, story) == [1, 1]


class TestSigningIn:
    def test_by_name_or_by_address_in_any_case(self, database_uri: str) -> None:
        async def story(served: Served) -> list[int]:
            admin = await enrol(served.database, "chef", admin=True)
            await served.sign_up("camille")
            await served.confirm("camille", key=admin)
            logins = ["camille", "CAMILLE", "camille@exemple.fr", "Camille@Exemple.FR"]
            return [(await served.sign_in(login)).status for login in logins]

        assert run(database_uri, story) == [200] * 4

    def test_a_refusal_does_not_say_which_half_was_wrong(self, database_uri: str) -> None:
        async def story(served: Served) -> set[tuple[int, bytes]]:
            admin = await enrol(served.database, "chef", admin=True)
            await served.sign_up("camille")
            await served.confirm("camille", key=admin)
            await served.sign_up("en-attente")
            tried = [
                await served.sign_in("camille", WRONG),
                await served.sign_in("personne"),
                await served.sign_in("en-attente"),
                await served.sign_in("chef"),  # has no password
            ]
            return {(answered.status, answered.body) for answered in tried}

        [(status, _)] = run(database_uri, story)
        assert status == 400

    @pytest.mark.parametrize(
        "body", [{}, {"password": "x"}, {"username": "a\0", "password": "x"}, {"username": "a"}]
    )
    def test_a_form_that_cannot_be_is_422(self, database_uri: str, body: object) -> None:
        async def story(served: Served) -> int:
            return (await served("POST", "/sign_in", body)).status

        assert run(database_uri, story) == 422

    def test_signing_out_kills_that_session_and_no_other_on_every_worker(
        self, database_uri: str
    ) -> None:
        async def story(served: Served) -> list[int]:
            admin = await enrol(served.database, "chef", admin=True)
            await served.sign_up("camille")
            await served.confirm("camille", key=admin)
            first, second = await served.token("camille"), await served.token("camille")
            async with serving(database_uri) as other:
                assert (await other("GET", "/user/me", key=first)).status == 200
                left = await served("POST", "/sign_out", key=first)
                await asyncio.sleep(0.5)  # for the notification to cross
                asked = [(served, first), (other, first), (served, second), (other, second)]
                after = [(await one("GET", "/user/me", key=key)).status for one, key in asked]
            return [left.status, *after]

        assert run(database_uri, story) == [200, 401, 401, 200, 200]


class TestWritingToThoseInCharge:
    def test_the_message_bears_who_wrote_it_and_cannot_forge_a_header(
        self, database_uri: str
    ) -> None:
        async def story(served: Served) -> list[tuple[str, str, str]]:
            camille = await enrol(served.database, "camille")
            body = {"subject": "Un\r\nBcc: x@exemple.fr", "text": "Bonjour.\nMerci."}
            await served("POST", "/user/contact", {**body, "institution": "Rodez"}, key=camille)
            return [(mail.subject, mail.reply_to, mail.text) for mail in await served.mails()]

        assert run(database_uri, story) == [
            (
                "[Albert] Un Bcc: x@exemple.fr",
                "camille@exemple.fr",
                "De : camille <camille@exemple.fr>\nStructure : Rodez\n\nBonjour.\nMerci.\n",
            )
        ]

    def test_a_mail_that_did_not_leave_is_502(self, database_uri: str) -> None:
        class Broken:
            async def send(self, mail: object) -> None:
                raise MailNotSent

        async def story(served: Served) -> int:
            camille = await enrol(served.database, "camille")
            body = {"subject": "Bonjour", "text": "Merci."}
            return (await served("POST", "/user/contact", body, key=camille)).status

        assert run(database_uri, story, mailer=Broken()) == 502
