"""What is asked of whatever carries our mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message in plain text, to one address."""

    to: str
    subject: str
    text: str
    reply_to: str = ""


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Hand the message over.

        Raises:
            MailNotSent: it was not taken.
        """
        ...
