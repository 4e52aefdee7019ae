"""Mail by SMTP."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal

from albert.api.mail.contract import Mail
from albert.api.mail.message import message_of
from albert.domain.errors import MailNotSent

_log = logging.getLogger(__name__)

_SECONDS = 10.0
"""Given to each step of the exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mail is handed over; ``context`` says which certificates are believed."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    context: ssl.SSLContext | None = None


class SmtpMailer:
    """Hands each message to a server, on a connection of its own, in a thread."""

    def __init__(self, server: SmtpServer, sender: str) -> None:
        self._server = server
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        message = message_of(mail, self._sender)
        try:
            await asyncio.to_thread(self._hand_over, message)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            # what servers say quotes addresses: only its kind is told
            _log.warning(
                "mail refused (%s)", type(error).__name__, extra={"action": "mail_refused"}
            )
            raise MailNotSent from None

    def _hand_over(self, message: EmailMessage) -> None:
        server = self._server
        context = server.context or ssl.create_default_context()
        if server.tls == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=_SECONDS, context=context
            )
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=_SECONDS)
        with client:
            if server.tls == "starttls":
                client.starttls(context=context)
            if server.user:
                client.login(server.user, server.password)
            client.send_message(message)
