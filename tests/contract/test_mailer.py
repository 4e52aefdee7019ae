"""Every carrier of mail hands over the same message, and fails in the same words."""

from __future__ import annotations

import asyncio
import email
import json
import logging
import ssl
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from email import policy
from pathlib import Path

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from albert.api.mail.contract import Mail, Mailer
from albert.api.mail.drivers import mailer_of
from albert.api.mail.folder import FolderMailer
from albert.api.mail.mailjet import MailjetAccount, MailjetMailer
from albert.api.mail.smtp import SmtpMailer, SmtpServer
from albert.domain.errors import MailNotSent, SettingInvalid
from albert.settings import load

pytestmark = pytest.mark.integration

SENDER = "albert@exemple.fr"
USER, SECRET = "cle-publique", "tres-secret"
LONG = (
    "Une longue ligne, sans aucun retour, qui dépasse ce qu'une ligne de courriel peut avoir. " * 20
)
MAIL = Mail(
    to="camille@exemple.fr",
    subject="Été : votre compte",
    text=f"Bonjour,\n\n.ligne qui commence par un point\n{LONG.strip()}\n",
    reply_to="chef@exemple.fr",
)


@dataclass(frozen=True)
class Received:
    sender: str
    to: str
    subject: str
    text: str
    reply_to: str


@dataclass
class Carrier:
    """A mailer, what arrived by it, and how to make its other end refuse."""

    mailer: Mailer
    arrived: Callable[[], list[Received]]
    refuse: Callable[[], None]


def read(data: bytes) -> Received:
    message = email.message_from_bytes(data, policy=policy.default)
    body = message.get_body()
    assert body is not None
    return Received(
        message["From"],
        message["To"],
        message["Subject"],
        body.get_content().replace("\r\n", "\n"),
        message["Reply-To"],
    )


@asynccontextmanager
async def folder(path: Path) -> AsyncIterator[Carrier]:
    kept = path / "mail"

    def refuse() -> None:
        for file in kept.iterdir():
            file.unlink()
        kept.rmdir()
        kept.write_text("not a folder")

    yield Carrier(
        FolderMailer(kept, SENDER),
        lambda: [read(file.read_bytes()) for file in kept.glob("*.eml")],
        refuse,
    )


class Letters:
    """An SMTP server's letter box; ``closed``, it refuses everybody."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.closed = False

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's name
        if self.closed:
            return f"550 no letters for {envelope.rcpt_tos}"
        assert isinstance(envelope.content, bytes)
        self.data.append(envelope.content)
        return "250 OK"


def authenticate(*given: object) -> AuthResult:
    return AuthResult(success=given[-1] == LoginPassword(USER.encode(), SECRET.encode()))


def certificate(path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server named localhost and of a client that believes it alone."""
    key, cert = path / "key.pem", path / "cert.pem"
    made = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        ["openssl", *made.split(), *names, "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=cert)


@asynccontextmanager
async def smtp(
    path: Path, *, believed: bool = True, tls: str = "starttls"
) -> AsyncIterator[Carrier]:
    ours, theirs = certificate(path)
    letters = Letters()
    spoken: list[SMTP] = []

    def speak() -> SMTP:
        starts = tls == "starttls"
        one = SMTP(
            letters,
            tls_context=ours if starts else None,
            require_starttls=starts,
            auth_required=starts,
            authenticator=authenticate,
        )
        spoken.append(one)
        return one

    server = await asyncio.get_running_loop().create_server(
        speak, "127.0.0.1", 0, ssl=ours if tls == "tls" else None
    )
    port = server.sockets[0].getsockname()[1]
    context = theirs if believed else ssl.create_default_context()
    user = USER if tls == "starttls" else ""
    where = SmtpServer(
        host="127.0.0.1",
        port=port,
        user=user,
        password=SECRET,
        tls="tls" if tls == "tls" else "starttls" if tls == "starttls" else "none",
        context=context,
    )
    try:
        yield Carrier(
            SmtpMailer(where, SENDER),
            lambda: [read(data) for data in letters.data],
            lambda: setattr(letters, "closed", True),
        )
    finally:
        server.close()
        for one in spoken:
            if one.transport is not None:
                one.transport.close()
        await asyncio.sleep(0.01)  # for the connections to close
        await server.wait_closed()


@asynccontextmanager
async def mailjet(_path: Path, *, answer: web.Response | None = None) -> AsyncIterator[Carrier]:
    received: list[Received] = []
    closed = False

    async def send(request: web.Request) -> web.Response:
        expected = "Basic " + b64encode(f"{USER}:{SECRET}".encode()).decode()
        if closed or request.headers["Authorization"] != expected:
            return web.json_response({"ErrorMessage": f"no {USER} {SECRET}"}, status=401)
        [one] = (await request.json())["Messages"]
        received.append(
            Received(
                one["From"]["Email"],
                one["To"][0]["Email"],
                one["Subject"],
                one["TextPart"],
                one["ReplyTo"]["Email"],
            )
        )
        return answer or web.json_response({"Messages": [{"Status": "success"}]})

    def refuse() -> None:
        nonlocal closed
        closed = True

    app = web.Application()
    app.router.add_post("/v3.1/send", send)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v3.1/send"
    try:
        account = MailjetAccount(url=url, key=USER, secret=SECRET)
        yield Carrier(MailjetMailer(account, SENDER), lambda: received, refuse)
    finally:
        await runner.cleanup()


CARRIERS = pytest.mark.parametrize("carrier", [folder, smtp, mailjet])
Opening = Callable[[Path], AbstractAsyncContextManager[Carrier]]


@CARRIERS
def test_the_message_arrives_as_it_was_written(carrier: Opening, tmp_path: Path) -> None:
    async def story() -> list[Received]:
        async with carrier(tmp_path) as one:
            await one.mailer.send(MAIL)
            return one.arrived()

    [received] = asyncio.run(story())
    assert received == Received(SENDER, MAIL.to, MAIL.subject, MAIL.text, MAIL.reply_to)


@CARRIERS
def test_a_subject_cannot_forge_a_header(carrier: Opening, tmp_path: Path) -> None:
    forged = Mail(to=MAIL.to, subject="Un\r\nBcc: x@exemple.fr", text="")

    async def story() -> list[Received]:
        async with carrier(tmp_path) as one:
            with pytest.raises(MailNotSent):
                await one.mailer.send(forged)
            return one.arrived()

    assert asyncio.run(story()) == []


@CARRIERS
def test_a_refusal_says_neither_the_secret_nor_the_address(
    carrier: Opening, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> str:
        async with carrier(tmp_path) as one:
            await one.mailer.send(MAIL)
            one.refuse()
            caplog.clear()
            with pytest.raises(MailNotSent) as told:
                await one.mailer.send(MAIL)
            return str(told.value)

    with caplog.at_level(logging.DEBUG, "albert"):
        assert asyncio.run(story()) == str(MailNotSent())
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("albert")]
    assert not [said for said in ours if SECRET in said or MAIL.to in said]


@pytest.mark.parametrize("tls", ["tls", "none"])
def test_smtp_is_spoken_under_tls_from_the_start_or_in_the_clear(tls: str, tmp_path: Path) -> None:
    async def story() -> int:
        async with smtp(tmp_path, tls=tls) as one:
            await one.mailer.send(MAIL)
            return len(one.arrived())

    assert asyncio.run(story()) == 1


def test_smtp_refuses_a_server_whose_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    async def story() -> list[Received]:
        async with smtp(tmp_path, believed=False) as one:
            with pytest.raises(MailNotSent):
                await one.mailer.send(MAIL)
            return one.arrived()

    assert asyncio.run(story()) == []


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 302, "headers": {"Location": "/v3.1/send"}},
        {"status": 500},
        {"text": json.dumps({"Messages": [{"Status": "error"}]})},
        {"text": "<html>"},
        {"text": "[]"},
    ],
)
def test_mailjet_is_believed_only_when_it_says_success(
    answer: dict[str, object], tmp_path: Path
) -> None:
    async def story() -> int:
        said = web.Response(**answer)  # type: ignore[arg-type]  # each case has its own arguments
        async with mailjet(tmp_path, answer=said) as one:
            with pytest.raises(MailNotSent):
                await one.mailer.send(MAIL)
            return len(one.arrived())

    assert asyncio.run(story()) == 1  # a redirection is not followed


def test_a_service_that_is_not_there_is_the_same_failure() -> None:
    account = MailjetAccount(url="http://127.0.0.1:1/", key=USER, secret=SECRET)
    for mailer in (
        SmtpMailer(SmtpServer(host="127.0.0.1", port=1), SENDER),
        MailjetMailer(account, SENDER),
    ):
        with pytest.raises(MailNotSent):
            asyncio.run(mailer.send(MAIL))


def test_the_folder_is_closed_to_others_and_the_log_says_only_where(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(FolderMailer(tmp_path / "mail", SENDER).send(MAIL))

    [file] = (tmp_path / "mail").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [record.getMessage() for record in caplog.records] == [
        f"no mail service is set: the message is in {file}"
    ]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, FolderMailer),
        ({"SMTP_HOST": "smtp.exemple.fr"}, SmtpMailer),
        ({"MJ_API_KEY": "a", "MJ_API_SECRET": "b"}, MailjetMailer),
    ],
)
def test_the_settings_choose_the_carrier(
    given: dict[str, str], kind: type[Mailer], tmp_path: Path
) -> None:
    assert type(mailer_of(load(given), tmp_path)) is kind


def test_a_key_of_mailjet_without_its_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="MJ_API_SECRET"):
        mailer_of(load({"MJ_API_KEY": "a"}), tmp_path)
