"""Mail by Mailjet, by SMTP, or to a folder."""

from __future__ import annotations

import asyncio
import tempfile
from email.message import EmailMessage
from pathlib import Path

from albert.api.mail.contract import Mail, Mailer
from albert.domain.mishaps import mishap
from albert.settings import Settings


def mailer_of(settings: Settings, folder: Path) -> Mailer:
    """Return the carrier that the settings name; without any, mail is kept in ``folder``."""
    return FolderMailer(folder, settings.mail_from)


def message_of(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    if mail.reply_to:
        message["Reply-To"] = mail.reply_to
    message.set_content(mail.text)
    return message


class FolderMailer:
    """Writes each message to a file of its own, for a developer to read."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        await asyncio.to_thread(self._write, bytes(message_of(mail, self._sender)))

    def _write(self, data: bytes) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".eml", delete=False) as file:
                file.write(data)
        except OSError as error:
            raise mishap(error) from error
