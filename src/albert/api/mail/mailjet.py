"""Mail by Mailjet's send API, version 3.1 (https://dev.mailjet.com/email/reference/send-emails/)."""

from __future__ import annotations

import logging
from base64 import b64encode
from dataclasses import dataclass, field
from email.utils import parseaddr

import aiohttp
import orjson

from albert.api.mail.contract import Mail
from albert.api.mail.message import message_of
from albert.domain.errors import MailNotSent

_log = logging.getLogger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=15)
_MOST = 1 << 16
"""Bytes read of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailjetAccount:
    url: str
    key: str = field(repr=False)
    secret: str = field(repr=False)


class MailjetMailer:
    """Posts each message; a redirection is refused, for it would carry our secret elsewhere."""

    def __init__(self, account: MailjetAccount, sender: str) -> None:
        self._account = account
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        message_of(mail, self._sender)  # refuses what would forge a header
        try:
            status, said = await self._post(_request(mail, self._sender))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("Mailjet does not answer (%s)", type(error).__name__)
            raise MailNotSent from None
        if status != 200 or not _taken(said):
            _log.warning("Mailjet refused a message (status %d)", status)
            raise MailNotSent

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        account = self._account
        basic = b64encode(f"{account.key}:{account.secret}".encode()).decode()
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(
                account.url,
                data=body,
                headers={"Content-Type": "application/json", "Authorization": f"Basic {basic}"},
                allow_redirects=False,
            ) as answered,
        ):
            return answered.status, await answered.content.read(_MOST)


def _request(mail: Mail, sender: str) -> bytes:
    name, address = parseaddr(sender)
    message: dict[str, object] = {
        "From": {"Email": address, **({"Name": name} if name else {})},
        "To": [{"Email": mail.to}],
        "Subject": mail.subject,
        "TextPart": mail.text,
    }
    if mail.reply_to:
        message["ReplyTo"] = {"Email": mail.reply_to}
    return orjson.dumps({"Messages": [message]})


def _taken(said: bytes) -> bool:
    """Whether each message has the status ``success``."""
    try:
        messages = orjson.loads(said)["Messages"]
        return bool(messages) and all(one["Status"] == "success" for one in messages)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False
