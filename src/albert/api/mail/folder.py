"""Mail kept in a folder, where no service carries it."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from albert.api.mail.contract import Mail
from albert.api.mail.message import message_of
from albert.domain.errors import MailNotSent

_log = logging.getLogger(__name__)


class FolderMailer:
    """Writes each message to a file of its own, for a developer to read.

    The log says which file, and nothing of what is in it: it may be a link that opens an account.
    """

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        path = await asyncio.to_thread(self._write, bytes(message_of(mail, self._sender)))
        _log.warning("no mail service is set: the message is in %s", path)

    def _write(self, data: bytes) -> Path:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S-")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(  # mode 0600
                dir=self._folder, prefix=now, suffix=".eml", delete=False
            ) as file:
                file.write(data)
        except OSError as error:
            raise MailNotSent from error
        return Path(file.name)
